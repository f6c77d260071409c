// Apollo Client: the cache, and the links that send the access token and refresh it.
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { ErrorLink } from '@apollo/client/link/error';
import { relayStylePagination } from '@apollo/client/utilities';
import { from, mergeMap } from 'rxjs';
import possible from './gql/possible-types';
import { currentAccessToken, refresh } from './session';

declare module '@apollo/client' {
  interface TypeOverrides {
    signatureStyle: 'modern'; // a mutation has data, or it throws
  }
}

const LIST = ['filter', 'orderBy'];

const cache = new InMemoryCache({
  possibleTypes: possible.possibleTypes,
  typePolicies: {
    Query: { fields: { posts: relayStylePagination(LIST), search: relayStylePagination(['query', 'types']) } },
    Tag: { fields: { posts: relayStylePagination(LIST) } },
    User: { fields: { posts: relayStylePagination(LIST) } },
  },
});

const authorize = new SetContextLink(() => {
  const token = currentAccessToken();
  // Without a token nothing may be left of the one that was refused.
  return { token, headers: token ? { Authorization: `Bearer ${token}` } : {} };
});

const isUnauthenticated = (error: unknown) =>
  CombinedGraphQLErrors.is(error) && error.errors.some(({ extensions }) => extensions?.['code'] === 'UNAUTHENTICATED');

// Another request may have refreshed the token that this one was refused with.
const renew = new ErrorLink(({ error, operation, forward }) => {
  const { token } = operation.getContext();
  if (!token || !isUnauthenticated(error)) return;
  const renewed = token === currentAccessToken() ? refresh(operation.client) : Promise.resolve();
  return from(renewed).pipe(mergeMap(() => forward(operation)));
});

const address = document.querySelector<HTMLMetaElement>('meta[name=api]')?.content;

export const client = new ApolloClient({
  cache,
  link: ApolloLink.from([renew, authorize, new HttpLink({ uri: address ?? '/graphql' })]),
});

/** Forget the lists of posts when one comes or goes: they are read again where they are shown next. */
export function forgetLists(tags: readonly { id: string }[]): void {
  cache.evict({ id: 'ROOT_QUERY', fieldName: 'posts' });
  cache.evict({ id: 'ROOT_QUERY', fieldName: 'search' });
  for (const { id } of tags) {
    const tag = cache.identify({ __typename: 'Tag', id });
    if (tag) cache.evict({ id: tag, fieldName: 'posts' });
  }
  cache.gc();
}
