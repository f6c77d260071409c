import {
  commitMutation,
  createOperationDescriptor,
  Environment,
  fetchQuery,
  getRequest,
  type GraphQLResponse,
  type GraphQLTaggedNode,
  type MutationParameters,
  Network,
  Observable,
  type OperationType,
  readInlineData,
  requestSubscription,
  RecordSource,
  type RequestParameters,
  Store,
  type Variables,
} from 'relay-runtime';
import { createClient as createEventsClient } from 'graphql-sse';
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
  pageOf,
  parts,
  place,
  POST,
  SIGN_IN,
  STALE,
  titles,
  TOO_LONG,
  writeTwice,
} from './observe.js';
import { MULTIPART, responsesOf } from './relay-multipart.js';
import both, { type operationsBothQuery } from './relay/__generated__/operationsBothQuery.graphql.js';
import changesOf, { type operationsChangesSubscription } from './relay/__generated__/operationsChangesSubscription.graphql.js';
import deferred, { type operationsDeferredQuery } from './relay/__generated__/operationsDeferredQuery.graphql.js';
import html, { type operationsHtmlQuery } from './relay/__generated__/operationsHtmlQuery.graphql.js';
import limitsOf, { type operationsLimitsMutation } from './relay/__generated__/operationsLimitsMutation.graphql.js';
import lookups, { type operationsLookupsQuery } from './relay/__generated__/operationsLookupsQuery.graphql.js';
import markdown, { type operationsMarkdownQuery } from './relay/__generated__/operationsMarkdownQuery.graphql.js';
import partial, { type operationsPartialQuery } from './relay/__generated__/operationsPartialQuery.graphql.js';
import details, { type operationsDetails$key } from './relay/__generated__/operationsDetails.graphql.js';
import refresh, { type operationsRefreshMutation } from './relay/__generated__/operationsRefreshMutation.graphql.js';
import signInWith, { type operationsSignInMutation } from './relay/__generated__/operationsSignInMutation.graphql.js';
import streamed, { type operationsStreamedQuery } from './relay/__generated__/operationsStreamedQuery.graphql.js';
import titlesOf, { type operationsTitlesQuery } from './relay/__generated__/operationsTitlesQuery.graphql.js';
import viewer, { type operationsViewerQuery } from './relay/__generated__/operationsViewerQuery.graphql.js';
import write, { type operationsWriteMutation } from './relay/__generated__/operationsWriteMutation.graphql.js';

const JSON_TYPE = {
  'Content-Type': 'application/json',
  Accept: 'application/graphql-response+json, application/json;q=0.9',
};

type Send = (params: RequestParameters, variables: Variables) => Promise<GraphQLResponse>;

function sender(fetch: Fetch, headers: Record<string, string> = {}): Send {
  return async ({ text }, variables) => {
    const body = JSON.stringify({ query: text, variables });
    const response = await fetch(place.url, { method: 'POST', headers: { ...JSON_TYPE, ...headers }, body });
    return (await response.json()) as GraphQLResponse;
  };
}

function connect(send: Send): Environment {
  return new Environment({ network: Network.create(send), store: new Store(new RecordSource()) });
}

async function query<Operation extends OperationType>(
  send: Send,
  document: GraphQLTaggedNode,
  variables: Operation['variables'],
): Promise<Operation['response'] | undefined> {
  return fetchQuery<Operation>(connect(send), document, variables).toPromise();
}

function mutate<Operation extends MutationParameters>(
  send: Send,
  mutation: GraphQLTaggedNode,
  variables: Operation['variables'],
): Promise<Operation['response']> {
  return new Promise((onCompleted, onError) => {
    commitMutation<Operation>(connect(send), { mutation, variables, onCompleted, onError });
  });
}

const read = async (send: Send) => titles(await query<operationsTitlesQuery>(send, titlesOf, FIRST));

await observe('query', (fetch) => read(sender(fetch)));

await observe('GET', (fetch) =>
  read(async ({ text }, variables) => {
    const parameters = new URLSearchParams({ query: text ?? '', variables: JSON.stringify(variables) });
    return (await (await fetch(`${place.url}?${parameters}`, { headers: JSON_TYPE })).json()) as GraphQLResponse;
  }),
);

await observe('errors', async (fetch) => {
  const send = sender(fetch);
  const nothing: Send = (params, variables) => send({ ...params, text: '{ nothing }' } as RequestParameters, variables);
  const error: unknown = await read(nothing).catch((error: unknown) => error);
  return codes((error as { source?: { errors: unknown[] } }).source?.errors);
});

await observe('partial data', async (fetch) => {
  let errors: unknown[] = [];
  // Relay keeps no errors of the items of a list: only the network function sees these.
  const send: Send = async (params, variables) => {
    const response = await sender(fetch)(params, variables);
    if ('errors' in response) errors = (response.errors ?? []) as unknown[];
    return response;
  };
  const data = await query<operationsPartialQuery>(send, partial, {});
  return [codes(errors), typeof data?.posts.totalCount];
});

await observe('mutation', (fetch) =>
  writeTwice(async () => {
    const { createPost } = await mutate<operationsWriteMutation>(sender(fetch, BEARER), write, INPUT);
    if (!createPost.ok) throw new Error(JSON.stringify(createPost.errors));
    return createPost.value;
  }),
);

await observe('refresh', async (fetch) => {
  const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
  const send: Send = async (params, variables) => {
    const response = await sender(fetch, bearer(place.expiredToken))(params, variables);
    if (!('errors' in response) || !codes(response.errors).includes('UNAUTHENTICATED')) return response;
    const input = { refreshToken: place.refreshToken };
    const { refreshSession } = await mutate<operationsRefreshMutation>(sender(fetch), refresh, { input });
    return sender(fetch, bearer(refreshSession?.accessToken ?? ''))(params, variables);
  };
  return (await query<operationsViewerQuery>(send, viewer, {}))?.viewer?.username;
});

await observe('sign in', async (fetch) => {
  const { signIn } = await mutate<operationsSignInMutation>(sender(fetch, STALE), signInWith, SIGN_IN);
  return typeof signIn?.accessToken;
});

await observe('limits', async (fetch) =>
  limits((await mutate<operationsLimitsMutation>(sender(fetch, BEARER), limitsOf, TOO_LONG)).createPost),
);

await observe('lookups', async (fetch) => {
  const data = await query<operationsLookupsQuery>(sender(fetch), lookups, NO_ID);
  return [data?.post, data?.user, data?.tag, data?.node];
});

await observe('cache', (fetch) => {
  const environment = connect(sender(fetch));
  const read = { fetchPolicy: 'store-or-network' } as const;
  return parts(async () => {
    await fetchQuery<operationsHtmlQuery>(environment, html, POST, read).toPromise();
    const kept = environment.retain(createOperationDescriptor(getRequest(html), POST));
    await fetchQuery<operationsMarkdownQuery>(environment, markdown, POST, read).toPromise();
    const data = await fetchQuery<operationsBothQuery>(environment, both, POST, read).toPromise();
    kept.dispose();
    return data;
  });
});

await observe('trusted documents', (fetch) =>
  read(async ({ id }, variables) => {
    const body = JSON.stringify({ documentId: id, variables });
    const response = await fetch(place.trusted, { method: 'POST', headers: JSON_TYPE, body });
    return (await response.json()) as GraphQLResponse;
  }),
);

async function deliveries<Operation extends OperationType>(
  fetch: Fetch,
  document: GraphQLTaggedNode,
  see: (data: Operation['response']) => unknown,
): Promise<unknown> {
  async function send({ text }: RequestParameters, variables: Variables, next: (response: GraphQLResponse) => void) {
    const body = JSON.stringify({ query: text, variables });
    const headers = { ...JSON_TYPE, Accept: MULTIPART };
    const answer = await fetch(place.url, { method: 'POST', headers, body });
    for await (const response of responsesOf(answer)) next(response);
  }
  const network = Network.create((params, variables) =>
    Observable.create((sink) => {
      send(params, variables, sink.next).then(sink.complete, sink.error);
    }),
  );
  const environment = new Environment({ network, store: new Store(new RecordSource()) });
  const seen: unknown[] = [];
  return new Promise((resolve, error) => {
    const next = (data: Operation['response']) => seen.push(see(data));
    const complete = () => resolve([ends(seen)]);
    fetchQuery<Operation>(environment, document, FIRST).subscribe({ next, complete, error });
  });
}

await observe('defer', (fetch) =>
  deliveries<operationsDeferredQuery>(fetch, deferred, ({ posts }) => {
    const { totalCount, nodes } = readInlineData<operationsDetails$key>(details, posts);
    return pageOf({ posts: { totalCount, nodes: posts.nodes.map((node, at) => ({ ...nodes?.[at], ...node })) } });
  }),
);
await observe('stream', (fetch) => deliveries<operationsStreamedQuery>(fetch, streamed, pageOf));

type Live = (params: RequestParameters, variables: Variables) => Observable<GraphQLResponse>;

function changes(live: Live, since: string, { next, error: onError }: Sink): () => void {
  const network = Network.create(() => Promise.reject(new Error('no query')), live);
  const environment = new Environment({ network, store: new Store(new RecordSource()) });
  const onNext = (data: operationsChangesSubscription['response'] | null | undefined) => next(data);
  const variables = { since };
  const config = { subscription: changesOf, variables, onNext, onError };
  return requestSubscription<operationsChangesSubscription>(environment, config).dispose;
}

await observe('WebSocket', async () => {
  const connected = socket();
  const live: Live = ({ text }, variables) =>
    Observable.create((sink) =>
      connected.subscribe({ query: text ?? '', variables }, sink as Parameters<typeof connected.subscribe>[1]),
    );
  return [await follow('socket', (since, sink) => changes(live, since, sink)), await refused(STALE)];
});
await observe('SSE', (fetch) => {
  const connected = createEventsClient({ url: place.url, headers: BEARER, fetchFn: fetch, retryAttempts: 0 });
  const live: Live = ({ text }, variables) =>
    Observable.create((sink) =>
      connected.subscribe({ query: text ?? '', variables }, sink as Parameters<typeof connected.subscribe>[1]),
    );
  return follow('events', (since, sink) => changes(live, since, sink));
});
