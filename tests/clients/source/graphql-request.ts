import { ClientError, GraphQLClient } from 'graphql-request';
import * as operations from './gql/graphql.js';
import {
  BEARER,
  codes,
  type Fetch,
  FIRST,
  INPUT,
  limits,
  NO_ID,
  observe,
  place,
  SIGN_IN,
  STALE,
  titles,
  TOO_LONG,
  writeTwice,
} from './observe.js';

type Options = ConstructorParameters<typeof GraphQLClient>[1];

const connect = (fetch: Fetch, options: Options = {}) => new GraphQLClient(place.url, { fetch, ...options });
const read = async (client: GraphQLClient) => titles(await client.request(operations.TitlesDocument, FIRST));

await observe('query', (fetch) => read(connect(fetch)));
await observe('GET', (fetch) => read(connect(fetch, { method: 'GET', jsonSerializer: JSON })));

await observe('errors', async (fetch) => {
  const error: unknown = await connect(fetch).request('{ nothing }').catch((error: unknown) => error);
  return error instanceof ClientError ? codes(error.response.errors) : String(error);
});

await observe('partial data', async (fetch) => {
  const { data, errors } = await connect(fetch, { errorPolicy: 'all' }).rawRequest<operations.PartialQuery>(
    'query Partial { nodes(ids: ["not an id"]) { id } posts(first: 1) { totalCount } }',
  );
  return [codes(errors), typeof data.posts?.totalCount];
});

await observe('mutation', (fetch) => {
  const client = connect(fetch, { headers: BEARER });
  return writeTwice(async () => (await client.request(operations.WriteDocument, INPUT)).createPost);
});

await observe('refresh', async (fetch) => {
  const client = connect(fetch).setHeader('Authorization', `Bearer ${place.expiredToken}`);
  const viewer = () => client.request(operations.ViewerDocument);
  const { viewer: user } = await viewer().catch(async (error: unknown) => {
    if (!(error instanceof ClientError) || !codes(error.response.errors).includes('UNAUTHENTICATED')) throw error;
    const variables = { input: { refreshToken: place.refreshToken } };
    const { refreshSession } = await connect(fetch).request(operations.RefreshDocument, variables);
    client.setHeader('Authorization', `Bearer ${refreshSession.accessToken}`);
    return viewer();
  });
  return user?.username;
});

await observe('sign in', async (fetch) => {
  const { signIn } = await connect(fetch, { headers: STALE }).request(operations.SignInDocument, SIGN_IN);
  return typeof signIn.accessToken;
});

await observe('limits', async (fetch) =>
  limits((await connect(fetch, { headers: BEARER }).request(operations.LimitsDocument, TOO_LONG)).createPost),
);

await observe('lookups', async (fetch) => {
  const { post, user, tag, node } = await connect(fetch).request(operations.LookupsDocument, NO_ID);
  return [post, user, tag, node];
});

await observe('batch', async (fetch) => {
  type Results = [{ data: operations.TitlesQuery }, { data: operations.CountQuery }];
  const [first, second] = await connect(fetch).batchRequests<Results>([
    { document: operations.TitlesDocument, variables: FIRST },
    { document: operations.CountDocument },
  ]);
  return [titles(first.data), typeof second.data.posts.totalCount];
});
