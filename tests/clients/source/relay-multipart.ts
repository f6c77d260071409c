// Reads an answer of several payloads, in the format `incrementalSpec=v0.2`, as the responses that Relay reads: one for
// each deferred fragment, with all of its fields, and one for each streamed item.
import { meros } from 'meros/browser';
import type { GraphQLResponse } from 'relay-runtime';

export const MULTIPART = 'multipart/mixed;incrementalSpec=v0.2, application/graphql-response+json;q=0.9';

type Path = (string | number)[];
type Value = any; // a part of the data

interface Pending {
  id: string;
  path: Path;
  label?: string;
}

interface Payload {
  data?: Value;
  errors?: unknown[];
  pending?: Pending[];
  incremental?: { id: string; subPath?: Path; data?: object; items?: unknown[]; errors?: unknown[] }[];
  completed?: { id: string; errors?: unknown[] }[];
}

export async function* responsesOf(answer: Response): AsyncGenerator<GraphQLResponse> {
  const parts = await meros<Payload>(answer);
  if (parts instanceof Response) {
    yield { ...(await parts.json()), extensions: { is_final: true } };
    return;
  }
  const read = reader();
  for await (const part of parts) if (part.json) yield* read(part.body) as Iterable<GraphQLResponse>;
}

function reader(): (payload: Payload) => Iterable<unknown> {
  let whole: Value;
  const pending = new Map<string, Pending>();
  const errors = new Map<string, unknown[]>();
  const at = (path: Path) => path.reduce((value, key) => value[key], whole);

  return function* read(payload) {
    if ('data' in payload) {
      whole = payload.data;
      yield { data: structuredClone(whole), errors: payload.errors };
    }
    for (const one of payload.pending ?? []) pending.set(one.id, one);
    for (const { id, subPath = [], data, items = [], errors: some = [] } of payload.incremental ?? []) {
      const { path, label } = pending.get(id)!;
      const place = at([...path, ...subPath]);
      Object.assign(place, data);
      for (const item of items) {
        yield { label, path: [...path, place.push(item) - 1], data: structuredClone(item), errors: some };
      }
      errors.set(id, [...(errors.get(id) ?? []), ...some]);
    }
    for (const { id, errors: failure } of payload.completed ?? []) {
      const { path, label } = pending.get(id)!;
      const value = at(path);
      if (failure) {
        yield { label, path: Array.isArray(value) ? [...path, value.length] : path, data: null, errors: failure };
      } else if (!Array.isArray(value)) {
        // Relay takes the fields of the fragment, and ignores the others.
        yield { label, path, data: structuredClone(value), errors: errors.get(id) };
      }
    }
  };
}
