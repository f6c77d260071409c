// The tokens of the signed-in user: in memory for requests, and in sessionStorage for a reload of the tab.
import type { ApolloClient } from '@apollo/client';
import { graphql, type FragmentType, unmask } from './gql';

const ACCESS = 'accessToken';
const REFRESH = 'refreshToken';

const Tokens = graphql(`
  fragment Tokens on SessionPayload {
    accessToken
    refreshToken
    errors { code message }
  }
`);

const RefreshSession = graphql(`
  mutation RefreshSession($input: RefreshSessionInput!) {
    refreshSession(input: $input) { ...Tokens }
  }
`);

let accessToken = sessionStorage.getItem(ACCESS);
let refreshToken = sessionStorage.getItem(REFRESH);

export const currentAccessToken = () => accessToken;

/** Keep the tokens of a payload, and return its errors. */
export function keepTokens(payload: FragmentType<typeof Tokens>) {
  const tokens = unmask(Tokens, payload);
  if (tokens.accessToken && tokens.refreshToken) {
    sessionStorage.setItem(ACCESS, (accessToken = tokens.accessToken));
    sessionStorage.setItem(REFRESH, (refreshToken = tokens.refreshToken));
  }
  return tokens.errors;
}

export function forgetTokens(): void {
  accessToken = refreshToken = null;
  sessionStorage.removeItem(ACCESS);
  sessionStorage.removeItem(REFRESH);
}

let refreshing: Promise<void> | undefined;

/** Exchange the refresh token, once for all requests that wait for it. A session that is over is forgotten. */
export function refresh(client: ApolloClient): Promise<void> {
  refreshing ??= exchange(client).finally(() => (refreshing = undefined));
  return refreshing;
}

async function exchange(client: ApolloClient): Promise<void> {
  if (refreshToken === null) return forgetTokens();
  const { data } = await client.mutate({ mutation: RefreshSession, variables: { input: { refreshToken } } });
  const [error] = keepTokens(data.refreshSession);
  if (error?.code === 'UNAUTHENTICATED') forgetTokens();
  else if (error) throw new Error(error.message);
}
