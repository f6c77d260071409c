// What a client does, as lines of JSON: for each feature what the program saw, and the requests that the client sent.
export type Fetch = typeof fetch;

interface Place {
  url: string; // of a server without registered documents
  trusted: string; // of a server that runs trusted documents only
  name: string; // of the client, for the slug of its post
  accessToken: string;
  expiredToken: string;
  refreshToken: string;
  login: string;
  password: string;
  post: string; // the id of one
}

export const place = JSON.parse(process.argv[2] ?? '') as Place;
export const FIRST = { first: 2 };
export const INPUT = { input: { title: place.name, markdown: 'Text.', slug: place.name } };
export const STALE = { Authorization: `Bearer ${place.expiredToken}` };
export const SIGN_IN = { input: { login: place.login, password: place.password } };
export const TOO_LONG = { input: { title: 'x'.repeat(301), markdown: '' } };
export const NO_ID = { id: 'not an id' };
export const POST = { id: place.post };
export const BEARER = { Authorization: `Bearer ${place.accessToken}` };

export async function observe(feature: string, run: (fetch: Fetch) => Promise<unknown>): Promise<void> {
  const sent: string[] = [];
  const recording: Fetch = async (input, init) => {
    const response = await fetch(input, init);
    sent.push(`${describe(String(input), init)} ${response.status}`);
    return response;
  };
  const seen = await run(recording).catch((error: unknown) => `${error}`);
  console.log(JSON.stringify({ feature, seen, sent }));
}

function describe(input: string, init: RequestInit = {}): string {
  const method = init.method ?? 'GET';
  const parameters: unknown =
    method === 'GET' ? Object.fromEntries(new URL(input).searchParams) : JSON.parse(String(init.body));
  if (Array.isArray(parameters)) return `${method} batch of ${parameters.length}`;
  const { query, documentId, extensions } = parameters as Record<string, unknown>;
  const id = documentId || JSON.stringify(extensions ?? '').includes('persistedQuery');
  return [method, id && 'id', query && 'text'].filter(Boolean).join(' ');
}

// Two requests that are refused at the same time, as those of a page whose token has expired.
export function refusedTogether(fetch: Fetch): Fetch {
  let refused = 0;
  let release: () => void;
  const both = new Promise<void>((resolve) => {
    release = resolve;
  });
  return async (input, init) => {
    const response = await fetch(input, init);
    if (response.status === 401) {
      refused += 1;
      if (refused === 2) release();
      await both;
    }
    return response;
  };
}

interface WriteError {
  __typename: string;
  code: string;
  path?: readonly string[] | null | undefined;
  existing?: unknown;
}

interface Write {
  post?: { title: string } | null | undefined;
  errors: readonly WriteError[];
}

// A slug can be used once.
export async function writeTwice(write: () => Promise<Write>): Promise<unknown> {
  const first = await write();
  const second = await write();
  const errors = second.errors.map(({ __typename, code, path, existing }) => [__typename, code, path, existing]);
  return [first.post?.title, ...errors];
}

interface LimitError {
  __typename: string;
  code: string;
  path?: readonly string[] | null | undefined;
  limit?: number | null | undefined;
}

export function limits(payload: { errors: readonly LimitError[] } | null | undefined): unknown {
  return payload?.errors.map(({ __typename, code, path, limit }) => [__typename, code, path, limit]);
}

interface Parts {
  post?: { content: { html: string; markdown: string } } | null | undefined;
  postAggregates: { count: number; buckets: readonly { count: number }[] };
  serverInfo: { version: string; maxCost: number };
}

// What is read in two parts is there together afterwards. Clients warn when they lose some of it.
export async function parts(read: () => Promise<Parts | null | undefined>): Promise<unknown> {
  const warnings: unknown[] = [];
  console.warn = console.error = (...texts: unknown[]) => warnings.push(String(texts[0]));
  const data = await read();
  const { html, markdown } = data?.post?.content ?? {};
  const { postAggregates: aggregates, serverInfo: info } = data ?? {};
  const counts = [aggregates?.count, aggregates?.buckets.length];
  return [html, markdown, ...counts, typeof info?.version, typeof info?.maxCost, warnings];
}

// Not every client declares that an error has extensions.
export function codes(errors: readonly unknown[] | undefined): unknown[] {
  return (errors ?? []).map((error) => (error as { extensions?: { code?: unknown } }).extensions?.code);
}

export function titles(data: { posts: { nodes: readonly { title: string }[] } } | null | undefined): unknown {
  return data?.posts.nodes.map((node) => node.title);
}

export interface Page {
  posts: { nodes: readonly { title: string; author?: { username: string } }[]; totalCount?: number };
}

// What is there of a page of which a part may come later.
export function pageOf(data: Page | null | undefined): unknown {
  const authors = data?.posts.nodes.flatMap((node) => node.author?.username ?? []);
  return [titles(data), authors, typeof data?.posts.totalCount];
}

// The number of payloads, and so of what was seen between the first and the last of them, is the server's choice.
export const ends = (seen: unknown[]) => [seen.at(0), seen.at(-1)];
