import { useEffect, useRef } from 'react';
import type { Draft } from './post-form';

interface Props {
  mine: Draft;
  theirs: Draft;
  keepMine: () => void;
  takeTheirs: () => void;
}

/** Both texts beside each other, when somebody else saved in between. */
export function Conflict({ mine, theirs, keepMine, takeTheirs }: Props) {
  const section = useRef<HTMLElement>(null);
  // The button that was pressed may be far below.
  useEffect(() => section.current?.focus(), []);
  return (
    <section ref={section} className="conflict" aria-label="Conflict" tabIndex={-1}>
      <h2>Somebody else has saved this post</h2>
      <p>Nothing of yours is written yet. Marked lines differ.</p>
      <div className="versions">
        <Version name="Yours" draft={mine} other={theirs} />
        <Version name="Theirs" draft={theirs} other={mine} />
      </div>
      <div className="buttons">
        <button type="button" onClick={keepMine}>Keep mine</button>
        <button type="button" onClick={takeTheirs}>Take theirs</button>
      </div>
    </section>
  );
}

function Version({ name, draft, other }: { name: string; draft: Draft; other: Draft }) {
  return (
    <section aria-label={name}>
      <h3>{name}</h3>
      <Lines name="Title" text={draft.title} other={other.title} />
      <Lines name="Text" text={draft.markdown} other={other.markdown} />
      <Lines name="Tags" text={draft.tags} other={other.tags} />
    </section>
  );
}

function Lines({ name, text, other }: { name: string; text: string; other: string }) {
  const shared = new Set(other.split('\n'));
  const lines = text.split('\n').map((line, number) => (
    <span key={number}>{shared.has(line) ? line : <mark>{line}</mark>}{'\n'}</span>
  ));
  return (
    <figure>
      <figcaption>{name}</figcaption>
      <pre>{lines}</pre>
    </figure>
  );
}
