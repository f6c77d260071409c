import {
  type AnyVariables,
  Client,
  type DocumentInput,
  type Exchange,
  fetchExchange,
  type OperationResult,
  subscriptionExchange,
} from '@urql/core';
import { authExchange } from '@urql/exchange-auth';
import { persistedExchange } from '@urql/exchange-persisted';
import type { DocumentNode } from 'graphql';
import * as operations from './gql/graphql.js';
import { follow, refused, type Sink, socket } from './live.js';
import {
  BEARER,
  codes,
  ends,
  type Fetch,
  FIRST,
  INPUT,
  limits,
  NO_ID,
  observe,
  type Page,
  pageOf,
  parts,
  place,
  POST,
  refusedTogether,
  SIGN_IN,
  STALE,
  titles,
  TOO_LONG,
  writeTwice,
} from './observe.js';
import { createCache } from './urql-cache.js';

interface Options {
  url?: string;
  headers?: Record<string, string>;
  preferGetMethod?: boolean;
  fetchSubscriptions?: boolean;
}

function connect(fetch: Fetch, exchanges: Exchange[] = [], options: Options = {}): Client {
  return new Client({
    url: options.url ?? place.url,
    fetch,
    fetchOptions: { headers: options.headers ?? {} },
    preferGetMethod: options.preferGetMethod ?? false,
    fetchSubscriptions: options.fetchSubscriptions ?? false,
    exchanges: [...exchanges, fetchExchange],
    requestPolicy: 'network-only',
  });
}

type Answer<Data, Variables extends AnyVariables> = PromiseLike<OperationResult<Data, Variables>>;

async function data<Data, Variables extends AnyVariables>(answer: Answer<Data, Variables>): Promise<Data> {
  const result = await answer;
  if (result.error || !result.data) throw result.error ?? new Error('no data');
  return result.data;
}

const read = async (client: Client) => titles(await data(client.query(operations.TitlesDocument, FIRST)));

await observe('query', (fetch) => read(connect(fetch)));
await observe('GET', (fetch) => read(connect(fetch, [], { preferGetMethod: true })));

await observe('errors', async (fetch) => {
  const { error } = await connect(fetch).query('{ nothing }', {});
  return codes(error?.graphQLErrors);
});

await observe('partial data', async (fetch) => {
  const result = await connect(fetch).query(operations.PartialDocument, {});
  return [codes(result.error?.graphQLErrors), typeof result.data?.posts?.totalCount];
});

await observe('mutation', (fetch) => {
  const client = connect(fetch, [], { headers: BEARER });
  return writeTwice(async () => (await data(client.mutation(operations.WriteDocument, INPUT))).createPost);
});

await observe('refresh', async (fetch) => {
  let token: string | null | undefined = place.expiredToken;
  const auth = authExchange(async (utils) => ({
    addAuthToOperation: (operation) =>
      token ? utils.appendHeaders(operation, { Authorization: `Bearer ${token}` }) : operation,
    didAuthError: (error) => codes(error.graphQLErrors).includes('UNAUTHENTICATED'),
    refreshAuth: async () => {
      const variables = { input: { refreshToken: place.refreshToken } };
      token = (await utils.mutate(operations.RefreshDocument, variables)).data?.refreshSession.accessToken;
    },
  }));
  const client = connect(refusedTogether(fetch), [auth]);
  const [{ viewer }] = await Promise.all([
    data(client.query(operations.ViewerDocument, {})),
    data(client.query(operations.CountDocument, {})),
  ]);
  return viewer?.username;
});

await observe('pages', async (fetch) => {
  const client = connect(fetch, [createCache()]);
  const { posts: page } = await data(client.query(operations.EdgesDocument, FIRST));
  await data(client.query(operations.EdgesDocument, { ...FIRST, after: page.pageInfo.endCursor }));
  const cached = { requestPolicy: 'cache-only' } as const;
  const { posts } = await data(client.query(operations.EdgesDocument, FIRST, cached));
  return posts.edges.map(({ node }) => node.title);
});

await observe('sign in', async (fetch) => {
  const client = connect(fetch, [], { headers: STALE });
  return typeof (await data(client.mutation(operations.SignInDocument, SIGN_IN))).signIn.accessToken;
});

await observe('limits', async (fetch) => {
  const client = connect(fetch, [], { headers: BEARER });
  return limits((await data(client.mutation(operations.LimitsDocument, TOO_LONG))).createPost);
});

await observe('lookups', async (fetch) => {
  const { post, user, tag, node } = await data(connect(fetch).query(operations.LookupsDocument, NO_ID));
  return [post, user, tag, node];
});

await observe('cache', async (fetch) => {
  const client = connect(fetch, [createCache()]);
  const read = { requestPolicy: 'cache-first' } as const;
  return parts(async () => {
    await data(client.query(operations.HtmlDocument, POST, read));
    await data(client.query(operations.MarkdownDocument, POST, read));
    return data(client.query(operations.BothDocument, POST, read));
  });
});

type Query = DocumentInput<operations.TitlesQuery, typeof FIRST>;

async function fourTimes(fetch: Fetch, query: Query, byGet: boolean): Promise<unknown> {
  const client = connect(fetch, [persistedExchange({ preferGetForPersistedQueries: byGet })]);
  const seen = [];
  for (let round = 0; round < 4; round += 1) seen.push(titles(await data(client.query(query, FIRST))));
  return seen;
}

const document = (name: string) => `query ${name}($first: Int!) { posts(first: $first) { nodes { id title } } }`;
await observe('APQ', (fetch) => fourTimes(fetch, document('UrqlPosted'), false));
await observe('APQ by GET', (fetch) => fourTimes(fetch, document('UrqlGot'), true));

await observe('trusted documents', (fetch) => {
  const generateHash = (_: string, document: DocumentNode) =>
    Promise.resolve((document as unknown as { __meta__: { hash: string } }).__meta__.hash);
  const ids = persistedExchange({ enforcePersistedQueries: true, generateHash, preferGetForPersistedQueries: false });
  return read(connect(fetch, [ids], { url: place.trusted }));
});

function deliveries(fetch: Fetch, query: DocumentInput<Page, typeof FIRST>): Promise<unknown> {
  const seen: unknown[] = [];
  return new Promise((resolve, reject) => {
    connect(fetch).query(query, FIRST).subscribe(({ data, error, hasNext }) => {
      if (error) reject(error);
      seen.push(pageOf(data));
      if (!hasNext) resolve([ends(seen)]);
    });
  });
}

await observe('defer', (fetch) => deliveries(fetch, operations.DeferredDocument));
await observe('stream', (fetch) => deliveries(fetch, operations.StreamedDocument));

function changes(client: Client, since: string, { next, error }: Sink): () => void {
  const results = client.subscription(operations.ChangesDocument, { since });
  return results.subscribe((result) => (result.error ? error(result.error) : next(result.data))).unsubscribe;
}

await observe('WebSocket', async (fetch) => {
  const connected = socket();
  const exchange = subscriptionExchange({
    forwardSubscription: ({ query, variables }) => ({
      subscribe: (sink) => ({ unsubscribe: connected.subscribe({ query: query ?? '', variables }, sink) }),
    }),
  });
  const client = connect(fetch, [exchange]);
  return [await follow('socket', (since, sink) => changes(client, since, sink)), await refused(STALE)];
});
// urql aborts the request of a subscription that ends, and does not handle its rejection.
process.on('unhandledRejection', (error) => {
  if (!(error instanceof DOMException && error.name === 'AbortError')) throw error;
});
await observe('SSE', (fetch) => {
  const client = connect(fetch, [], { headers: BEARER, fetchSubscriptions: true });
  return follow('events', (since, sink) => changes(client, since, sink));
});
