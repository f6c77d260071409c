import { graphql, type DocumentType } from '../gql';

export const EditedPost = graphql(`
  fragment EditedPost on Post {
    id
    version
    slug
    title
    status
    content { id markdown }
    tags { id name }
  }
`);

export type EditedPost = DocumentType<typeof EditedPost>;

/** The text of a post as it is typed. */
export interface Draft {
  title: string;
  markdown: string;
  tags: string;
}

export const EMPTY: Draft = { title: '', markdown: '', tags: '' };

export function draftOf({ title, content, tags }: EditedPost): Draft {
  return { title, markdown: content.markdown, tags: tags.map(({ name }) => name).join(', ') };
}

export const isSame = (one: Draft, other: Draft) =>
  one.title === other.title && one.markdown === other.markdown && one.tags === other.tags;

/** The tags of a draft, as the API takes them: a name that is new makes a tag. */
export function tagRefs({ tags }: Draft): { name: string }[] {
  const names = tags.split(',').map((name) => name.trim());
  return names.filter(Boolean).map((name) => ({ name }));
}

export function PostFields({ draft, onChange }: { draft: Draft; onChange: (draft: Draft) => void }) {
  return (
    <>
      <label>
        Title
        <input value={draft.title} onChange={(e) => onChange({ ...draft, title: e.target.value })} />
      </label>
      <label>
        Text, in Markdown
        <textarea rows={16} value={draft.markdown} onChange={(e) => onChange({ ...draft, markdown: e.target.value })} />
      </label>
      <label>
        Tags, separated by commas
        <input value={draft.tags} onChange={(e) => onChange({ ...draft, tags: e.target.value })} />
      </label>
    </>
  );
}
