import { useSuspenseQuery } from '@apollo/client/react';
import { graphql } from './gql';

const Viewer = graphql(`
  query Viewer {
    viewer { id username displayName role }
  }
`);

/** Return the signed-in user, or null. */
export function useViewer() {
  return useSuspenseQuery(Viewer).data.viewer ?? null;
}
