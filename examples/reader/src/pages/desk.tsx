import { useSuspenseQuery } from '@apollo/client/react';
import { graphql } from '../gql';
import { More } from '../parts/more';
import { Day } from '../parts/day';
import { NotFound } from './not-found';

const DeskQuery = graphql(`
  query Desk($after: Cursor) {
    viewer {
      id
      posts(
        filter: { status: [DRAFT, SCHEDULED, PUBLISHED, ARCHIVED] }
        orderBy: [{ field: UPDATED_AT, direction: DESC }]
        first: 20
        after: $after
      ) {
        edges { cursor node { id title status updatedAt } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);

/** The viewer's own posts of every status. */
export function Desk() {
  const { data, fetchMore } = useSuspenseQuery(DeskQuery, { fetchPolicy: 'cache-and-network' });
  if (!data.viewer) return <NotFound />;
  const { edges, pageInfo } = data.viewer.posts;
  const { endCursor, hasNextPage } = pageInfo;
  return (
    <>
      <title>Your posts</title>
      <h1>Your posts</h1>
      <p>
        <a href="/trash">Trash</a>
      </p>
      <ul className="rows">
        {edges.map(({ node }) => (
          <li key={node.id}>
            <a href={`/edit/${node.id}`}>{node.title}</a>
            <span className="quiet">{node.status.toLowerCase()}, <Day at={node.updatedAt} /></span>
          </li>
        ))}
      </ul>
      {hasNextPage && endCursor && (
        <More key={endCursor} load={() => fetchMore({ variables: { after: endCursor } })} />
      )}
    </>
  );
}
