import { graphql } from 'relay-runtime';

// The compiler finds these; the programs import what it makes of them.
export const documents = () => [
  graphql`
    query operationsTitlesQuery($first: Int!) @throwOnFieldError {
      posts(first: $first) {
        nodes {
          id
          title
          publishedAt
        }
        pageInfo {
          endCursor
        }
      }
    }
  `,
  graphql`
    mutation operationsWriteMutation($input: CreatePostInput!) {
      createPost(input: $input) @catch {
        post {
          id
          title
        }
        errors {
          __typename
          message
          code
          path
          ... on ConflictError {
            existing {
              __typename
              ... on Post {
                title
              }
            }
          }
        }
      }
    }
  `,
  graphql`
    subscription operationsChangesSubscription($since: Position) {
      postChanged(since: $since) {
        kind
        position
        post {
          title
        }
      }
    }
  `,
  graphql`
    query operationsViewerQuery {
      viewer {
        username
      }
    }
  `,
  graphql`
    mutation operationsRefreshMutation($input: RefreshSessionInput!) {
      refreshSession(input: $input) {
        accessToken
        refreshToken
      }
    }
  `,
  graphql`
    query operationsDeferredQuery($first: Int!) {
      posts(first: $first) {
        nodes {
          id
          title
        }
        ...operationsDetails @defer
      }
    }
  `,
  graphql`
    fragment operationsDetails on PostConnection @inline {
      totalCount
      nodes {
        title
        author {
          username
        }
      }
    }
  `,
  graphql`
    query operationsStreamedQuery($first: Int!) {
      posts(first: $first) {
        nodes @stream(label: "nodes", initialCount: 1) {
          id
          title
        }
      }
    }
  `,
  graphql`
    query operationsPartialQuery {
      nodes(ids: ["not an id"]) {
        id
      }
      posts(first: 1) {
        totalCount
      }
    }
  `,
  graphql`
    mutation operationsSignInMutation($input: SignInInput!) {
      signIn(input: $input) {
        accessToken
      }
    }
  `,
  graphql`
    mutation operationsLimitsMutation($input: CreatePostInput!) {
      createPost(input: $input) {
        errors {
          __typename
          code
          path
          ... on ValidationError {
            limit
          }
        }
      }
    }
  `,
  graphql`
    query operationsLookupsQuery($id: ID!) {
      post(by: { id: $id }) {
        title
      }
      user(by: { id: $id }) {
        username
      }
      tag(by: { id: $id }) {
        name
      }
      node(id: $id) {
        id
      }
    }
  `,
  graphql`
    query operationsHtmlQuery($id: ID!) {
      post(by: { id: $id }) {
        id
        content {
          id
          html
        }
      }
      postAggregates(groupBy: TAG) {
        count
      }
      serverInfo {
        version
      }
    }
  `,
  graphql`
    query operationsMarkdownQuery($id: ID!) {
      post(by: { id: $id }) {
        id
        content {
          id
          markdown
        }
      }
      postAggregates(groupBy: TAG) {
        buckets {
          key
          count
          node {
            __typename
            ... on User {
              id
              displayName
            }
            ... on Tag {
              id
              name
            }
          }
        }
      }
      serverInfo {
        maxCost
      }
    }
  `,
  graphql`
    query operationsBothQuery($id: ID!) {
      post(by: { id: $id }) {
        id
        content {
          id
          html
          markdown
        }
      }
      postAggregates(groupBy: TAG) {
        count
        buckets {
          key
          count
        }
      }
      serverInfo {
        version
        maxCost
      }
    }
  `,
];
