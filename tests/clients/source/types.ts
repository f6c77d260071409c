// The generated types: each `true` is a statement about one, which does not compile when it is false.
import type { CreatePostInput, LimitsMutation, MarkdownQuery, TitlesQuery, WriteMutation } from './gql/graphql.js';
import type { operationsTitlesQuery } from './relay/__generated__/operationsTitlesQuery.graphql.js';
import type { operationsWriteMutation } from './relay/__generated__/operationsWriteMutation.graphql.js';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

type WriteErrors = WriteMutation['createPost']['errors'][number];
type CodegenPost = TitlesQuery['posts']['nodes'][number];
type RelayPost = operationsTitlesQuery['response']['posts']['nodes'][number];
type RelayWrite = Extract<operationsWriteMutation['response']['createPost'], { ok: true }>['value'];

export const scalars: [
  Same<CodegenPost['publishedAt'], string | null>,
  Same<TitlesQuery['posts']['pageInfo']['endCursor'], string | null>,
  Same<RelayPost['publishedAt'], string | null | undefined>,
  Same<operationsTitlesQuery['response']['posts']['pageInfo']['endCursor'], string | null | undefined>,
] = [true, true, true, true];

export const notNullWithoutAnError: [
  Same<WriteMutation['createPost'], NonNullable<WriteMutation['createPost']>>,
  Same<RelayWrite, NonNullable<RelayWrite>>,
] = [true, true];

export const errorsOfPayloads: [
  Same<keyof Extract<WriteErrors, { __typename: 'ConflictError' }>, keyof WriteErrors | 'existing'>,
  Same<keyof Extract<WriteErrors, { __typename: 'NotFoundError' }>, '__typename' | 'message' | 'code' | 'path'>,
] = [true, true];

type Bucket = MarkdownQuery['postAggregates']['buckets'][number]['node'];
type LimitsErrors = LimitsMutation['createPost']['errors'][number];
type Existing = Extract<WriteErrors, { __typename: 'ConflictError' }>['existing'];

type Current = Extract<LimitsErrors, { __typename: 'VersionConflictError' }>['current'];

// What is not there is no possibility.
export const unions: [
  Same<NonNullable<Bucket>['__typename'], 'User' | 'Tag'>,
  Same<NonNullable<Existing>['__typename'], 'Post' | 'Tag'>,
  Same<NonNullable<Current>['__typename'], 'Post' | 'Tag' | 'User'>,
] = [true, true, true];

// @ts-expect-error: the title is required
export const incomplete: CreatePostInput = { markdown: 'Text.' };
