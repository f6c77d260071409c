"""The statements of the limit: those that a person would write for each workload."""
# ruff: noqa: S608 - put together from the constants of this file

PUBLIC = "p.state = 'published' AND p.deleted_at IS NULL AND p.published_at <= now()"
STATUS = "CASE WHEN p.state = 'published' AND p.published_at > now() THEN 'SCHEDULED' ELSE upper(p.state) END"
NEWEST = "ORDER BY p.published_at DESC, p.id DESC"

POST = f"""
    SELECT p.id, p.title, p.markdown, {STATUS}, p.published_at, u.display_name
    FROM posts p JOIN users u ON u.id = p.author_id
    WHERE p.id = $1 AND {PUBLIC}
"""
TAGS_OF_POST = """
    SELECT t.id, t.name FROM post_tags l JOIN tags t ON t.id = l.tag_id WHERE l.post_id = $1 ORDER BY l.position
"""
FEED = f"""
    SELECT p.id, p.title, {STATUS}, p.published_at, u.id, u.display_name
    FROM posts p JOIN users u ON u.id = p.author_id
    WHERE {PUBLIC} {NEWEST} LIMIT $1
"""
PAGES = f"""
    SELECT p.id, p.title, p.markdown, {STATUS}, p.published_at, p.reading_time_minutes, u.id, u.display_name
    FROM posts p JOIN users u ON u.id = p.author_id
    WHERE {PUBLIC} {NEWEST} LIMIT $1
"""
TAGS_OF_POSTS = """
    SELECT l.post_id, t.name FROM post_tags l JOIN tags t ON t.id = l.tag_id
    WHERE l.post_id = ANY($1::uuid[]) ORDER BY l.post_id, l.position
"""
USERS = f"""
    SELECT u.id, u.display_name FROM users u
    WHERE u.deleted_at IS NULL AND u.id < $1 AND EXISTS (SELECT FROM posts p WHERE p.author_id = u.id AND {PUBLIC})
    ORDER BY u.id DESC LIMIT 50
"""
POSTS_OF_USERS = f"""
    SELECT u.id, p.id, p.title, p.published_at
    FROM unnest($1::uuid[]) u(id) CROSS JOIN LATERAL (
        SELECT p.id, p.title, p.published_at FROM posts p WHERE p.author_id = u.id AND {PUBLIC} {NEWEST} LIMIT 5
    ) p
"""
COUNTS_OF_USERS = f"""
    SELECT p.author_id, count(*) FROM posts p WHERE p.author_id = ANY($1::uuid[]) AND {PUBLIC} GROUP BY p.author_id
"""

OWNER = """
    SELECT u.id, u.role, t.scopes FROM api_tokens t JOIN users u ON u.id = t.user_id
    WHERE t.hash = $1 AND (t.expires_at IS NULL OR t.expires_at > $2) AND u.deleted_at IS NULL
"""
INSERT_POST = """
    INSERT INTO posts (
        id, version, created_at, updated_at, author_id, slug, title, title_key, state, reading_time_minutes, renderer,
        markdown, html, text
    ) VALUES ($1, 1, $2, $2, $3, $4, $5, $6, 'draft', $7, $8, $9, $10, $11) RETURNING id
"""
INSERT_DOCUMENT = "INSERT INTO search_documents (node_id, kind, vector) VALUES ($1, 'post', $2::text::tsvector)"
INSERT_CHANGE = """
    INSERT INTO post_changes (kind, post_id, author_id, version, created_at) VALUES ('created', $1, $2, 1, $3)
"""
