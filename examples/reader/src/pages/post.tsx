import { useSuspenseQuery } from '@apollo/client/react';
import { useEffect } from 'react';
import { graphql } from '../gql';
import { PostMeta } from '../parts/post-meta';
import { NotFound } from './not-found';

const PostQuery = graphql(`
  query Post($slug: String!) {
    post(by: { slug: $slug }) {
      id
      title
      viewerCanUpdate
      content { id html headings { level text anchor } }
      ...PostMeta
    }
  }
`);

// A shorter post needs no table of contents.
const FEW_HEADINGS = 2;

export function PostPage({ slug }: { slug: string }) {
  const { data } = useSuspenseQuery(PostQuery, { variables: { slug } });
  // The browser looked for the heading of a link before the post was there.
  useEffect(() => document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView(), []);
  if (!data.post) return <NotFound />;
  const { id, title, viewerCanUpdate, content } = data.post;
  return (
    <article>
      <title>{title}</title>
      <h1>{title}</h1>
      <PostMeta post={data.post} />
      {viewerCanUpdate && <a href={`/edit/${id}`}>Edit</a>}
      {content.headings.length > FEW_HEADINGS && (
        <nav aria-label="Contents">
          <ul>
            {content.headings.map(({ level, text, anchor }) => (
              <li key={anchor} className={`level-${level}`}>
                <a href={`#${anchor}`}>{text}</a>
              </li>
            ))}
          </ul>
        </nav>
      )}
      {/* The server sanitised it when the post was written. */}
      <div className="prose" dangerouslySetInnerHTML={{ __html: content.html }} />
    </article>
  );
}
