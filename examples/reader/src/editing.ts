// The state of an editor, and its mutations.
import { useState, useTransition } from 'react';
import { client, forgetLists } from './client';
import { graphql, type FragmentType, unmask } from './gql';
import { draftOf, EditedPost, isSame, tagRefs } from './parts/post-form';
import { type Problem, problemsOf } from './parts/problems';
import { go } from './router';

const WriteResult = graphql(`
  fragment WriteResult on PostPayload {
    post { ...EditedPost }
    errors {
      __typename
      message
      path
      ... on VersionConflictError { current { __typename ... on Post { ...EditedPost } } }
    }
  }
`);

const UpdatePost = graphql(`
  mutation UpdatePost($input: UpdatePostInput!) {
    updatePost(input: $input) { ...WriteResult }
  }
`);

const PublishPost = graphql(`
  mutation PublishPost($input: PublishPostInput!) {
    publishPost(input: $input) { ...WriteResult }
  }
`);

const DeletePost = graphql(`
  mutation DeletePost($input: DeletePostInput!) {
    deletePost(input: $input) { deletedId errors { message path } }
  }
`);

type Problems = readonly Problem[];

export function useEditing(post: EditedPost) {
  // What the draft began with. The post in the cache may be newer: a save that is refused brings the current one.
  const [base, setBase] = useState(post);
  const [draft, setDraft] = useState(() => draftOf(post));
  const [theirs, setTheirs] = useState<EditedPost | null>(null);
  const [problems, setProblems] = useState<Problems>([]);
  const [isPending, startTransition] = useTransition();
  const isSaved = isSame(draft, draftOf(base));

  const submit = (request: () => Promise<Problems>) =>
    startTransition(async () => setProblems(await problemsOf(request)));

  /** Take over the post as it is written now, or the one that was in the way. */
  function accept(result: FragmentType<typeof WriteResult>): { written: EditedPost | null; errors: Problems } {
    const { post, errors } = unmask(WriteResult, result);
    const written = post ? unmask(EditedPost, post) : null;
    if (written) {
      setBase(written);
      setTheirs(null);
      // Unless more was typed in the meantime.
      setDraft((latest) => (isSame(latest, draft) ? draftOf(written) : latest));
      forgetLists([...base.tags, ...written.tags]);
    }
    for (const error of errors) {
      if (error.__typename === 'VersionConflictError' && error.current?.__typename === 'Post') {
        setTheirs(unmask(EditedPost, error.current));
        return { written: null, errors: [] };
      }
    }
    return { written, errors };
  }

  async function write({ id, version }: EditedPost) {
    const patch = { title: draft.title, markdown: draft.markdown, tags: { set: tagRefs(draft) } };
    const variables = { input: { id, expectedVersion: version, patch } };
    const { data } = await client.mutate({ mutation: UpdatePost, variables });
    return accept(data.updatePost);
  }

  /** Save the draft over a version of the post. */
  const save = (over: EditedPost) => submit(async () => (await write(over)).errors);

  const publish = () =>
    submit(async () => {
      const saved = isSaved ? { written: base, errors: [] } : await write(base);
      if (!saved.written) return saved.errors;
      const { id, version } = saved.written;
      const variables = { input: { id, expectedVersion: version } };
      const { data } = await client.mutate({ mutation: PublishPost, variables });
      const { written, errors } = accept(data.publishPost);
      if (written) go(`/post/${written.slug}`);
      return errors;
    });

  const remove = () =>
    submit(async () => {
      const { data } = await client.mutate({ mutation: DeletePost, variables: { input: { id: base.id } } });
      if (data.deletePost.deletedId) {
        forgetLists(base.tags);
        go('/trash');
      }
      return data.deletePost.errors;
    });

  function takeTheirs(current: EditedPost): void {
    setBase(current);
    setDraft(draftOf(current));
    setTheirs(null);
  }

  return { base, draft, isSaved, theirs, problems, isPending, setDraft, save, publish, remove, takeTheirs };
}
