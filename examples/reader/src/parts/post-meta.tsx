import { graphql, type FragmentType, unmask } from '../gql';
import { Day } from './day';

const PostMetaFragment = graphql(`
  fragment PostMeta on Post {
    status
    publishedAt
    readingTimeMinutes
    author { id displayName }
    tags { id slug name }
  }
`);

/** Who wrote a post and when, how long it takes to read, and its tags. */
export function PostMeta({ post }: { post: FragmentType<typeof PostMetaFragment> }) {
  const { status, publishedAt, readingTimeMinutes, author, tags } = unmask(PostMetaFragment, post);
  return (
    <footer className="meta">
      <span>{author.displayName}</span>
      {publishedAt && <Day at={publishedAt} />}
      <span>{readingTimeMinutes} min</span>
      {status !== 'PUBLISHED' && <span className="status">{status.toLowerCase()}</span>}
      {tags.map((tag) => (
        <a key={tag.id} className="tag" href={`/tag/${tag.slug}`}>{tag.name}</a>
      ))}
    </footer>
  );
}
