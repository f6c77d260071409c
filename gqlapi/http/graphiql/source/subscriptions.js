// Each subscription has a WebSocket, opened with the Authorization header of its tab.
import { getOperationAST, parse } from 'graphql';
import { createClient } from 'graphql-ws';

// GraphiQL's own document is half a second behind the text.
export function isSubscription({ query, operationName }) {
  try {
    return getOperationAST(parse(query), operationName)?.operation === 'subscription';
  } catch {
    return false; // the server says what is wrong
  }
}

export function createSubscriber(url, session) {
  const own = (headers) => Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === 'authorization')?.[1];

  return (params, headers) => {
    const client = createClient({
      url: url.replace(/^http/, 'ws'),
      retryAttempts: 0,
      connectionParams: async () => {
        const authorization = own(headers) ?? (await session.authorization());
        return authorization ? { Authorization: authorization } : {};
      },
    });
    return client.iterate(params);
  };
}
