// What a subscription shows, the same for all clients and transports.
import { type Client, createClient } from 'graphql-ws';
import { BEARER, place } from './observe.js';

interface Changed {
  postChanged: { kind: string; position: string; post?: { title: string } | null | undefined };
}

export interface Sink {
  next(data: Changed | null | undefined): void;
  error(error: unknown): void;
}

// Begins to follow the changes after a position, and returns what ends it.
type Subscribe = (since: string, sink: Sink) => () => void;

const WRITE = 'mutation($input: CreatePostInput!) { createPost(input: $input) { post { id } } }';

export const socket = (headers: Record<string, string> = BEARER): Client =>
  createClient({ url: place.url.replace('http', 'ws'), connectionParams: headers, retryAttempts: 0 });

async function write(title: string): Promise<void> {
  const body = JSON.stringify({ query: WRITE, variables: { input: { title, markdown: '' } } });
  await fetch(place.url, { method: 'POST', headers: { 'Content-Type': 'application/json', ...BEARER }, body });
}

// One post is written, and another one while the client is away: it resumes after the first.
export async function follow(transport: string, subscribe: Subscribe): Promise<unknown> {
  const seen = [];
  let since = '0';
  for (const number of ['first', 'second']) {
    const title = `${place.name} ${transport} ${number}`;
    await write(title);
    const change = await find(title, since, subscribe);
    since = change.position;
    seen.push([change.kind, number]);
  }
  return seen;
}

function find(title: string, since: string, subscribe: Subscribe): Promise<Changed['postChanged']> {
  return new Promise((resolve, reject) => {
    const end = subscribe(since, {
      next(data) {
        if (data?.postChanged.post?.title !== title) return;
        resolve(data.postChanged);
        end();
      },
      error: reject,
    });
  });
}

// The code with which the server closes the socket of an expired token.
export function refused(headers: Record<string, string>): Promise<unknown> {
  return new Promise((resolve) => {
    const client = socket(headers);
    client.on('closed', (event) => resolve((event as { code: number }).code));
    client.subscribe({ query: '{ __typename }' }, { next() {}, error() {}, complete() {} });
  });
}
