import { useSuspenseQuery } from '@apollo/client/react';
import { useState, useTransition } from 'react';
import { client, forgetLists } from '../client';
import { graphql } from '../gql';
import { Day } from '../parts/day';
import { More } from '../parts/more';
import { type Problem, Problems, problemsOf } from '../parts/problems';
import { NotFound } from './not-found';

const TrashQuery = graphql(`
  query Trash($after: Cursor) {
    viewer {
      id
      posts(
        filter: { deletedAt: { isNull: false } }
        orderBy: [{ field: UPDATED_AT, direction: DESC }]
        first: 20
        after: $after
      ) {
        edges { cursor node { id title deletedAt tags { id } } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);

const RestorePost = graphql(`
  mutation RestorePost($input: RestorePostInput!) {
    restorePost(input: $input) {
      post { id deletedAt }
      errors { message path }
    }
  }
`);

/** The viewer's own deleted posts. */
export function Trash() {
  const { data, fetchMore } = useSuspenseQuery(TrashQuery, { fetchPolicy: 'network-only' });
  const [problems, setProblems] = useState<readonly Problem[]>([]);
  const [isPending, startTransition] = useTransition();
  if (!data.viewer) return <NotFound />;
  const { edges, pageInfo } = data.viewer.posts;
  const { endCursor, hasNextPage } = pageInfo;
  const deleted = edges.map(({ node }) => node).filter(({ deletedAt }) => deletedAt);

  const restore = ({ id, tags }: (typeof deleted)[number]) =>
    startTransition(async () => {
      const request = async () => {
        const { data } = await client.mutate({ mutation: RestorePost, variables: { input: { id } } });
        if (data.restorePost.post) forgetLists(tags);
        return data.restorePost.errors;
      };
      setProblems(await problemsOf(request));
    });

  return (
    <>
      <title>Trash</title>
      <h1>Trash</h1>
      <Problems problems={problems} />
      {deleted.length === 0 && <p>Nothing here.</p>}
      <ul className="rows">
        {deleted.map((post) => (
          <li key={post.id}>
            <span>{post.title}</span>
            {post.deletedAt && <span className="quiet">deleted <Day at={post.deletedAt} /></span>}
            <button type="button" disabled={isPending} aria-label={`Restore ${post.title}`} onClick={() => restore(post)}>
              Restore
            </button>
          </li>
        ))}
      </ul>
      {hasNextPage && endCursor && (
        <More key={endCursor} load={() => fetchMore({ variables: { after: endCursor } })} />
      )}
    </>
  );
}
