import { useEffect, useEffectEvent, useRef, useState, useTransition } from 'react';

/** A button that loads the next page by itself when it comes near the window. Give it the cursor as key. */
export function More({ load }: { load: () => Promise<unknown> }) {
  const button = useRef<HTMLButtonElement>(null);
  const [isPending, startTransition] = useTransition();
  const [hasFailed, setFailed] = useState(false);

  const next = () =>
    startTransition(async () => {
      await load().catch(() => setFailed(true));
    });

  const approach = useEffectEvent(([entry]: IntersectionObserverEntry[]) => {
    if (entry?.isIntersecting && !isPending) next();
  });

  useEffect(() => {
    const observer = new IntersectionObserver((entries) => approach(entries), { rootMargin: '600px' });
    if (button.current) observer.observe(button.current);
    return () => observer.disconnect();
  }, []);

  return (
    <button ref={button} type="button" className="more" disabled={isPending} onClick={next}>
      {isPending ? 'Loading…' : hasFailed ? 'That failed. Try again' : 'More'}
    </button>
  );
}
