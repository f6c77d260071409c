import { useSuspenseQuery } from '@apollo/client/react';
import { graphql, type DocumentType } from '../gql';
import { More } from '../parts/more';

const SearchQuery = graphql(`
  query Search($query: String!, $after: Cursor) {
    search(query: $query, types: [POST, TAG], first: 10, after: $after) {
      totalCount
      edges {
        cursor
        highlight
        node {
          __typename
          ... on Post { id slug title }
          ... on Tag { id slug name }
        }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

type Hit = DocumentType<typeof SearchQuery>['search']['edges'][number];

export function SearchPage({ query }: { query: string }) {
  return (
    <>
      <title>Search</title>
      <h1>Search</h1>
      {query.trim() ? <Hits query={query} /> : <p>Type something to look for.</p>}
    </>
  );
}

function Hits({ query }: { query: string }) {
  const { data, fetchMore } = useSuspenseQuery(SearchQuery, { variables: { query } });
  const { edges, pageInfo, totalCount } = data.search;
  const { endCursor, hasNextPage } = pageInfo;
  return (
    <>
      <p className="quiet" role="status">{totalCount} found for “{query}”</p>
      <ol className="posts">
        {edges.map((hit) => (
          <li key={hit.cursor}>
            <h2>
              <HitLink node={hit.node} />
            </h2>
            {/* The server escaped all but the marks. */}
            {hit.highlight && <p dangerouslySetInnerHTML={{ __html: hit.highlight }} />}
          </li>
        ))}
      </ol>
      {hasNextPage && endCursor && (
        <More key={endCursor} load={() => fetchMore({ variables: { after: endCursor } })} />
      )}
    </>
  );
}

function HitLink({ node }: { node: Hit['node'] }) {
  switch (node.__typename) {
    case 'Post':
      return <a href={`/post/${node.slug}`}>{node.title}</a>;
    case 'Tag':
      return <a className="tag" href={`/tag/${node.slug}`}>{node.name}</a>;
    default:
      return null;
  }
}
