// Pages by address. With the Navigation API, links and forms are plain `<a href>` and `<form action>`.
import { useSyncExternalStore } from 'react';

navigation.addEventListener('navigate', (event) => {
  if (event.canIntercept && !event.hashChange && event.downloadRequest === null && event.navigationType !== 'reload') {
    event.intercept();
  }
});

function subscribe(listener: () => void): () => void {
  navigation.addEventListener('currententrychange', listener);
  return () => navigation.removeEventListener('currententrychange', listener);
}

/** Return the address of the page, and render again when it changes. A fragment is the browser's business. */
export function useAddress(): URL {
  const path = useSyncExternalStore(subscribe, () => location.pathname + location.search);
  return new URL(path, location.origin);
}

export const go = (path: string, history: NavigationHistoryBehavior = 'auto') => navigation.navigate(path, { history });
