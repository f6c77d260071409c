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

/** Return the address of the page, and render again when it changes. */
export function useAddress(): URL {
  return new URL(useSyncExternalStore(subscribe, () => location.href));
}

export const go = (path: string, history: NavigationHistoryBehavior = 'auto') => navigation.navigate(path, { history });
