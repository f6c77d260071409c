import { useSuspenseQuery } from '@apollo/client/react';
import { graphql } from '../gql';
import { Posts } from '../parts/post-list';

const FeedQuery = graphql(`
  query Feed($after: Cursor) {
    posts(first: 10, after: $after) { ...PostList }
  }
`);

export function Feed() {
  const { data, fetchMore } = useSuspenseQuery(FeedQuery);
  return (
    <>
      <title>Reader</title>
      <h1>Latest posts</h1>
      <Posts list={data.posts} loadAfter={(after) => fetchMore({ variables: { after } })} />
    </>
  );
}
