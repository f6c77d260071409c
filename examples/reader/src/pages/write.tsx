import { useActionState, useRef, useState } from 'react';
import { client } from '../client';
import { graphql } from '../gql';
import { EMPTY, PostFields, tagRefs } from '../parts/post-form';
import { type Problem, Problems, problemsOf } from '../parts/problems';
import { go } from '../router';

const CreatePost = graphql(`
  mutation CreatePost($input: CreatePostInput!) {
    createPost(input: $input) {
      post { id }
      errors { message path }
    }
  }
`);

export function WritePage() {
  const [draft, setDraft] = useState(EMPTY);
  const idempotencyKey = useIdempotencyKey();
  const [problems, save, isPending] = useActionState(
    (_: readonly Problem[]) =>
      problemsOf(async () => {
        const input = { title: draft.title, markdown: draft.markdown, tags: tagRefs(draft) };
        const variables = { input: { ...input, idempotencyKey: idempotencyKey(input) } };
        const { data } = await client.mutate({ mutation: CreatePost, variables });
        const { post, errors } = data.createPost;
        if (post) go(`/edit/${post.id}`, 'replace');
        return errors;
      }),
    [],
  );
  return (
    <>
      <title>New post</title>
      <h1>New post</h1>
      <form action={save}>
        <PostFields draft={draft} onChange={setDraft} />
        <Problems problems={problems} />
        <button disabled={isPending}>Save draft</button>
      </form>
    </>
  );
}

/** Return a function that gives the same key for the same input: when an answer was lost, it is safe to save again. */
function useIdempotencyKey(): (input: object) => string {
  const last = useRef({ text: '', key: '' });
  return (input) => {
    const text = JSON.stringify(input);
    if (last.current.text !== text) last.current = { text, key: crypto.randomUUID() };
    return last.current.key;
  };
}
