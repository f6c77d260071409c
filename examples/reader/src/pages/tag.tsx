import { useSuspenseQuery } from '@apollo/client/react';
import { graphql } from '../gql';
import { Posts } from '../parts/post-list';
import { NotFound } from './not-found';

const TagQuery = graphql(`
  query Tag($slug: String!, $after: Cursor) {
    tag(by: { slug: $slug }) {
      id
      name
      description
      posts(first: 10, after: $after) { ...PostList }
    }
  }
`);

export function TagPage({ slug }: { slug: string }) {
  const { data, fetchMore } = useSuspenseQuery(TagQuery, { variables: { slug } });
  if (!data.tag) return <NotFound />;
  const { name, description, posts } = data.tag;
  return (
    <>
      <title>{name}</title>
      <h1>{name}</h1>
      {description && <p>{description}</p>}
      <Posts list={posts} loadAfter={(after) => fetchMore({ variables: { after } })} />
    </>
  );
}
