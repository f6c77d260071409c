import { useSuspenseQuery } from '@apollo/client/react';
import { graphql } from './gql';

const Viewer = graphql(`
  query Viewer {
    viewer { id username displayName }
    viewerCanCreatePost
  }
`);

/** Return the signed-in user, or null, and whether they may write posts. */
export function useViewer() {
  const { viewer, viewerCanCreatePost } = useSuspenseQuery(Viewer).data;
  return { viewer: viewer ?? null, canWrite: viewerCanCreatePost };
}
