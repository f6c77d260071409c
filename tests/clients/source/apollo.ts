import { readFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import {
  ApolloClient,
  ApolloLink,
  CombinedGraphQLErrors,
  gql,
  HttpLink,
  InMemoryCache,
  NetworkStatus,
  type TypedDocumentNode,
} from '@apollo/client';
import { Defer20220824Handler, GraphQL17Alpha9Handler } from '@apollo/client/incremental';
import { BatchHttpLink } from '@apollo/client/link/batch-http';
import { SetContextLink } from '@apollo/client/link/context';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { ErrorLink } from '@apollo/client/link/error';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { generatePersistedQueryIdsFromManifest } from '@apollo/persisted-query-lists';
import { filter, firstValueFrom, from, map, mergeMap, takeWhile, toArray } from 'rxjs';
import { createCache } from './apollo-cache.js';
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
  parts,
  place,
  pageOf,
  POST,
  refusedTogether,
  SIGN_IN,
  STALE,
  titles,
  TOO_LONG,
  writeTwice,
} from './observe.js';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

function connect(...links: ApolloLink[]): ApolloClient {
  return new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.from(links),
    defaultOptions: { query: { fetchPolicy: 'network-only' } },
  });
}

const http = (fetch: Fetch, options: HttpLink.Options = {}) => new HttpLink({ uri: place.url, fetch, ...options });

async function read(client: ApolloClient): Promise<unknown> {
  const { data } = await client.query({ query: operations.TitlesDocument, variables: FIRST });
  return titles(data);
}

await observe('query', (fetch) => read(connect(http(fetch))));
await observe('GET', (fetch) => read(connect(http(fetch, { useGETForQueries: true }))));

await observe('errors', async (fetch) => {
  const client = connect(http(fetch));
  const { error } = await client.query({ query: gql`{ nothing }`, errorPolicy: 'all' });
  return CombinedGraphQLErrors.is(error) ? codes(error.errors) : String(error);
});

await observe('partial data', async (fetch) => {
  const client = connect(http(fetch));
  const { data, error } = await client.query({ query: operations.PartialDocument, errorPolicy: 'all' });
  return [CombinedGraphQLErrors.is(error) ? codes(error.errors) : String(error), typeof data?.posts?.totalCount];
});

await observe('mutation', (fetch) => {
  const client = connect(http(fetch, { headers: BEARER }));
  return writeTwice(async () => {
    const { data } = await client.mutate({ mutation: operations.WriteDocument, variables: INPUT });
    return data!.createPost;
  });
});

await observe('refresh', async (fetch) => {
  let token = place.expiredToken;
  const authorize = new SetContextLink(() => ({ headers: { Authorization: `Bearer ${token}` } }));
  async function refresh(): Promise<void> {
    const variables = { input: { refreshToken: place.refreshToken } };
    // With the expired token, as from any other place of a program.
    const { data } = await connect(authorize, http(fetch)).mutate({ mutation: operations.RefreshDocument, variables });
    token = data?.refreshSession.accessToken ?? '';
  }
  let refreshing: Promise<void> | undefined;
  const renew = new ErrorLink(({ error, operation, forward }) => {
    if (CombinedGraphQLErrors.is(error) && codes(error.errors).includes('UNAUTHENTICATED')) {
      refreshing ??= refresh().finally(() => (refreshing = undefined));
      return from(refreshing).pipe(mergeMap(() => forward(operation)));
    }
    return undefined;
  });
  const client = connect(renew, authorize, http(refusedTogether(fetch)));
  const [{ data }] = await Promise.all([
    client.query({ query: operations.ViewerDocument }),
    client.query({ query: operations.CountDocument }),
  ]);
  return data?.viewer?.username;
});

await observe('pages', async (fetch) => {
  const client = new ApolloClient({ cache: createCache(), link: http(fetch) });
  const { data } = await client.query({ query: operations.EdgesDocument, variables: FIRST });
  const feed = client.watchQuery({ query: operations.EdgesDocument, variables: FIRST });
  await feed.fetchMore({ variables: { after: data!.posts.pageInfo.endCursor } });
  const all = client.readQuery({ query: operations.EdgesDocument, variables: FIRST });
  return all?.posts.edges.map(({ node }) => node.title);
});

await observe('sign in', async (fetch) => {
  const client = connect(http(fetch, { headers: STALE }));
  const { data } = await client.mutate({ mutation: operations.SignInDocument, variables: SIGN_IN });
  return typeof data?.signIn.accessToken;
});

await observe('limits', async (fetch) => {
  const client = connect(http(fetch, { headers: BEARER }));
  const { data } = await client.mutate({ mutation: operations.LimitsDocument, variables: TOO_LONG });
  return limits(data?.createPost);
});

await observe('lookups', async (fetch) => {
  const { data } = await connect(http(fetch)).query({ query: operations.LookupsDocument, variables: NO_ID });
  return [data?.post, data?.user, data?.tag, data?.node];
});

await observe('cache', (fetch) => {
  const client = new ApolloClient({ cache: createCache(), link: http(fetch) });
  return parts(async () => {
    await client.query({ query: operations.HtmlDocument, variables: POST });
    await client.query({ query: operations.MarkdownDocument, variables: POST });
    return (await client.query({ query: operations.BothDocument, variables: POST })).data;
  });
});

type APQOptions = PersistedQueryLink.Base.Options;

async function fourTimes(fetch: Fetch, query: string, options: APQOptions = {}): Promise<unknown> {
  const client = connect(new PersistedQueryLink({ sha256, ...options }), http(fetch));
  const seen = [];
  for (let round = 0; round < 4; round += 1) {
    const { data } = await client.query<operations.TitlesQuery>({ query: gql(query), variables: FIRST });
    seen.push(titles(data));
  }
  return seen;
}

const document = (name: string) => `query ${name}($first: Int!) { posts(first: $first) { nodes { id title } } }`;
await observe('APQ', (fetch) => fourTimes(fetch, document('Posted')));
await observe('APQ by GET', (fetch) => fourTimes(fetch, document('Got'), { useGETForHashedQueries: true }));

await observe('trusted documents', async (fetch) => {
  const loadManifest = async () => JSON.parse(await readFile('persisted-query-manifest.json', 'utf-8'));
  const ids = new PersistedQueryLink(generatePersistedQueryIdsFromManifest({ loadManifest }));
  return read(connect(ids, http(fetch, { uri: place.trusted })));
});

await observe('batch', async (fetch) => {
  const client = connect(new BatchHttpLink({ uri: place.url, fetch, batchMax: 2 }));
  const [first, second] = await Promise.all([read(client), client.query({ query: operations.CountDocument })]);
  return [first, typeof second.data?.posts.totalCount];
});

async function deliveries(fetch: Fetch, query: TypedDocumentNode<Page, typeof FIRST>): Promise<unknown> {
  const seen = [];
  for (const incrementalHandler of [new Defer20220824Handler(), new GraphQL17Alpha9Handler()]) {
    const client = new ApolloClient({ cache: new InMemoryCache(), link: http(fetch), incrementalHandler });
    const results = client.watchQuery({ query, variables: FIRST }).pipe(
      filter(({ dataState }) => dataState !== 'empty'),
      takeWhile(({ networkStatus }) => networkStatus === NetworkStatus.streaming, true),
      map(({ data }) => pageOf(data as Page)),
      toArray(),
    );
    seen.push(ends(await firstValueFrom(results)));
  }
  return seen;
}

await observe('defer', (fetch) => deliveries(fetch, operations.DeferredDocument));
await observe('stream', (fetch) => deliveries(fetch, operations.StreamedDocument));

function changes(client: ApolloClient, since: string, { next, error }: Sink): () => void {
  const results = client.subscribe({ query: operations.ChangesDocument, variables: { since } });
  const subscription = results.subscribe({ next: (result) => (result.error ? error(result.error) : next(result.data)) });
  return () => subscription.unsubscribe();
}

await observe('WebSocket', async () => {
  const client = connect(new GraphQLWsLink(socket()));
  return [await follow('socket', (since, sink) => changes(client, since, sink)), await refused(STALE)];
});
await observe('multipart', (fetch) => {
  const client = connect(http(fetch, { headers: BEARER }));
  return follow('multipart', (since, sink) => changes(client, since, sink));
});
