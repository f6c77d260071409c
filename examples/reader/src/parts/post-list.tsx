import { graphql, type FragmentType, unmask } from '../gql';
import { More } from './more';
import { PostMeta } from './post-meta';

const PostList = graphql(`
  fragment PostList on PostConnection {
    totalCount
    edges { cursor node { id slug title excerpt(length: 200) ...PostMeta } }
    pageInfo { hasNextPage endCursor }
  }
`);

interface Props {
  list: FragmentType<typeof PostList>;
  loadAfter: (cursor: string) => Promise<unknown>;
}

/** A list of posts that goes on while one scrolls. */
export function Posts({ list, loadAfter }: Props) {
  const { edges, pageInfo, totalCount } = unmask(PostList, list);
  const { endCursor, hasNextPage } = pageInfo;
  return (
    <>
      <p className="quiet" role="status">{edges.length} of {totalCount} posts</p>
      <ol className="posts">
        {edges.map(({ node }) => (
          <li key={node.id}>
            <article aria-labelledby={node.id}>
              <h2 id={node.id}>
                <a href={`/post/${node.slug}`}>{node.title}</a>
              </h2>
              <p>{node.excerpt}</p>
              <PostMeta post={node} />
            </article>
          </li>
        ))}
      </ol>
      {hasNextPage && endCursor && <More key={endCursor} load={() => loadAfter(endCursor)} />}
    </>
  );
}
