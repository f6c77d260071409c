import { useSuspenseQuery } from '@apollo/client/react';
import { useEditing } from '../editing';
import { graphql, unmask } from '../gql';
import { Conflict } from '../parts/conflict';
import { draftOf, EditedPost, PostFields } from '../parts/post-form';
import { Problems } from '../parts/problems';
import { NotFound } from './not-found';

const EditQuery = graphql(`
  query Edit($id: ID!) {
    post(by: { id: $id }) { viewerCanUpdate ...EditedPost }
  }
`);

export function EditPage({ id }: { id: string }) {
  // The cache may have an older version, and the first save over it would be a conflict.
  const { data } = useSuspenseQuery(EditQuery, { variables: { id }, fetchPolicy: 'network-only' });
  if (!data.post?.viewerCanUpdate) return <NotFound />;
  return <Editor post={unmask(EditedPost, data.post)} />;
}

function Editor({ post }: { post: EditedPost }) {
  const { base, draft, theirs, isPending, ...editing } = useEditing(post);
  const isPublished = base.status === 'PUBLISHED';
  return (
    <>
      <title>{`Edit: ${base.title}`}</title>
      <h1>Edit post</h1>
      <p className="quiet" role="status">
        {base.status.toLowerCase()}, version {base.version}, {editing.isSaved ? 'saved' : 'not saved'}
      </p>
      {theirs && (
        <Conflict
          mine={draft}
          theirs={draftOf(theirs)}
          keepMine={() => editing.save(theirs)}
          takeTheirs={() => editing.takeTheirs(theirs)}
        />
      )}
      <form action={() => editing.save(base)}>
        <PostFields draft={draft} onChange={editing.setDraft} />
        <Problems problems={editing.problems} />
        <div className="buttons">
          <button disabled={isPending}>Save</button>
          {!isPublished && <button type="button" disabled={isPending} onClick={editing.publish}>Publish</button>}
          {isPublished && <a href={`/post/${base.slug}`}>Read it</a>}
          <button type="button" className="danger" disabled={isPending} onClick={editing.remove}>Delete</button>
        </div>
      </form>
    </>
  );
}
