// Mercurius on Fastify as its documentation teaches: JIT from the first request, loaders, prepared statements.
const Fastify = require('fastify')
const mercurius = require('mercurius')
const { Pool, types } = require('pg')
const crypto = require('node:crypto')

const TIMESTAMPTZ = 1184
// "2026-01-02 03:04:05.12+00" as the API writes it: a Date for each time would cost more.
types.setTypeParser(TIMESTAMPTZ, text => {
  const time = text.slice(11, -3)
  return `${text.slice(0, 10)}T${time.length === 8 ? `${time}.000` : time.padEnd(12, '0')}Z`
})
const pool = new Pool({
  connectionString: process.env.BENCHMARK_DATABASE_URL,
  max: 10,
  options: '-c timezone=UTC'
})
const query = async (name, text, values) => (await pool.query({ name, text, values })).rows

const PUBLIC = "p.state = 'published' AND p.deleted_at IS NULL AND p.published_at <= now()"
const NEWEST = 'ORDER BY p.published_at DESC, p.id DESC'
const POST = `p.id AS key, p.title, p.markdown, p.published_at AS "publishedAt", p.author_id AS "authorId",
  CASE WHEN p.state = 'published' AND p.published_at > now() THEN 'SCHEDULED' ELSE upper(p.state) END AS status,
  p.reading_time_minutes AS "readingTimeMinutes"`
const USER = 'id AS key, display_name AS "displayName"'
const SQL = {
  post: `SELECT ${POST} FROM posts p WHERE p.id = $1 AND ${PUBLIC}`,
  posts: `SELECT ${POST} FROM posts p WHERE ${PUBLIC} ${NEWEST} LIMIT $1`,
  postsAfter: `SELECT ${POST} FROM posts p WHERE ${PUBLIC}
    AND (p.published_at, p.id) < (SELECT published_at, id FROM posts WHERE id = $2) ${NEWEST} LIMIT $1`,
  users: `SELECT ${USER} FROM users u WHERE deleted_at IS NULL AND id < $2
    AND EXISTS (SELECT FROM posts p WHERE p.author_id = u.id AND ${PUBLIC}) ORDER BY id DESC LIMIT $1`,
  usersByKeys: `SELECT ${USER} FROM users WHERE id = ANY($1::uuid[])`,
  tagsByPosts: `SELECT l.post_id AS post, t.id AS key, t.name FROM post_tags l JOIN tags t ON t.id = l.tag_id
    WHERE l.post_id = ANY($1::uuid[]) ORDER BY l.post_id, l.position`,
  postsByUsers: `SELECT p.* FROM unnest($1::uuid[]) u(id) CROSS JOIN LATERAL (
    SELECT ${POST} FROM posts p WHERE p.author_id = u.id AND ${PUBLIC} ${NEWEST} LIMIT $2) p`,
  countsByUsers: `SELECT p.author_id AS author, count(*)::int AS count FROM posts p
    WHERE p.author_id = ANY($1::uuid[]) AND ${PUBLIC} GROUP BY p.author_id`,
  insert: `INSERT INTO posts (id, version, created_at, updated_at, author_id, slug, title, title_key, state,
    reading_time_minutes, renderer, markdown, html, text)
    VALUES ($1, 1, now(), now(), $2, $3, $4, lower($4), 'draft', 1, 1, $5, '', '') RETURNING id AS key, title`
}

const globalId = (type, key) =>
  Buffer.concat([Buffer.from(type), Buffer.from(key.replaceAll('-', ''), 'hex')]).toString('base64url')
const keyOf = id => Buffer.from(id, 'base64url').subarray(-16).toString('hex')

const schema = `
  scalar DateTime
  type Tag { id: ID! name: String! }
  type User { id: ID! displayName: String! posts(first: Int!): [Post!]! postCount: Int! }
  type Post {
    id: ID! title: String! markdown: String! status: String! publishedAt: DateTime readingTimeMinutes: Int!
    author: User! tags: [Tag!]!
  }
  type Query { post(id: ID!): Post posts(first: Int!, after: ID): [Post!]! users(first: Int!, after: ID!): [User!]! }
  type Mutation { createPost(title: String!, markdown: String!, authorId: ID!): Post! }
`

const insertPost = async (_, { title, markdown, authorId }) => {
  const slug = `${title.toLowerCase().replaceAll(' ', '-')}-${crypto.randomBytes(4).toString('hex')}`
  return (await query('insert', SQL.insert, [crypto.randomUUID(), keyOf(authorId), slug, title, markdown]))[0]
}
const resolvers = {
  Query: {
    post: async (_, { id }) => (await query('post', SQL.post, [keyOf(id)]))[0],
    posts: (_, { first, after }) =>
      after ? query('postsAfter', SQL.postsAfter, [first, keyOf(after)]) : query('posts', SQL.posts, [first]),
    users: (_, { first, after }) => query('users', SQL.users, [first, keyOf(after)])
  },
  Mutation: { createPost: insertPost },
  Post: { id: post => globalId('Post', post.key) },
  User: { id: user => globalId('User', user.key) },
  Tag: { id: tag => globalId('Tag', tag.key) }
}

// Each of the rows in the list of its parent; parents without rows have an empty list.
const grouped = (rows, column, keys) => {
  const groups = new Map(keys.map(key => [key, []]))
  for (const row of rows) groups.get(row[column]).push(row)
  return keys.map(key => groups.get(key))
}
const keysOf = queries => queries.map(({ obj }) => obj.key)
const loaders = {
  Post: {
    author: async queries => {
      const keys = queries.map(({ obj }) => obj.authorId)
      const users = new Map((await query('usersByKeys', SQL.usersByKeys, [keys])).map(user => [user.key, user]))
      return keys.map(key => users.get(key))
    },
    tags: async queries => {
      const keys = keysOf(queries)
      return grouped(await query('tagsByPosts', SQL.tagsByPosts, [keys]), 'post', keys)
    }
  },
  User: {
    posts: async queries => {
      const keys = keysOf(queries)
      const rows = await query('postsByUsers', SQL.postsByUsers, [keys, queries[0].params.first])
      return grouped(rows, 'authorId', keys)
    },
    postCount: async queries => {
      const keys = keysOf(queries)
      const rows = await query('countsByUsers', SQL.countsByUsers, [keys])
      const counts = new Map(rows.map(({ author, count }) => [author, count]))
      return keys.map(key => counts.get(key) ?? 0)
    }
  }
}

const app = Fastify({ logger: false })
app.register(mercurius, { schema, resolvers, loaders, jit: 1, graphiql: false })
app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' })
