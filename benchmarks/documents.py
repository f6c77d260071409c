"""The documents of the workloads: gqlapi's, and those of the peers, whose lists have no nodes and no cursors."""

from graphql import get_introspection_query

FEED = "id title status publishedAt author { id displayName } tags { name }"
PEER_USER_POSTS = "posts(first: 5) { id title publishedAt tags { name } }"

GQLAPI = {
    "W1": "query W1($id: ID!) { post(by: {id: $id}) { id title content { markdown } status publishedAt "
    "author { displayName } tags { id name } } }",
    "W2": f"query W2 {{ posts(first: 20) {{ nodes {{ {FEED} }} }} }}",
    "W3": "query W3($after: Cursor) { users(first: 50, after: $after) { nodes { id displayName posts(first: 5) "
    "{ nodes { id title publishedAt tags { name } } } } } }",
    "W5": "query W5 { __typename }",
    "W6": "mutation W6($input: CreatePostInput!) { createPost(input: $input) { post { id title } } }",
    "W7": "query W7($after: Cursor) { users(first: 50, after: $after) { nodes { id displayName posts(first: 5) "
    "{ totalCount nodes { id title publishedAt tags { name } } } } } }",
    # The alias makes it a new text each time.
    "COLD": f"query W2 {{ a@@N@@: posts(first: 20) {{ nodes {{ {FEED} }} }} }}",
    "GROWTH": f"query W2($n: Int!) {{ posts(first: $n) {{ nodes {{ {FEED} }} }} }}",
    "INTROSPECTION": get_introspection_query(),
}
PEER = {
    "W1": "query W1($id: ID!) { post(id: $id) { id title markdown status publishedAt author { displayName } "
    "tags { id name } } }",
    "W2": f"query W2 {{ posts(first: 20) {{ {FEED} }} }}",
    "W3": f"query W3($after: ID!) {{ users(first: 50, after: $after) {{ id displayName {PEER_USER_POSTS} }} }}",
    "W5": "query W5 { __typename }",
    "W6": "mutation W6($title: String!, $markdown: String!, $authorId: ID!) "
    "{ createPost(title: $title, markdown: $markdown, authorId: $authorId) { id title } }",
    "W7": "query W7($after: ID!) { users(first: 50, after: $after) "
    f"{{ id displayName postCount {PEER_USER_POSTS} }} }}",
    "COLD": f"query W2 {{ a@@N@@: posts(first: 20) {{ {FEED} }} }}",
    "GROWTH": f"query W2($n: Int!) {{ posts(first: $n) {{ {FEED} }} }}",
}


def five_pages(kind: str, markdown: str, selection: str) -> str:
    """Return W4: five aliased pages of 100 posts, each after the one before it."""
    variables = ", ".join(f"$after{number}: {kind}" for number in range(1, 5))
    post = f"id title {markdown} status publishedAt readingTimeMinutes author {{ id displayName }}"
    pages = (
        f"p{number}: posts(first: 100{f', after: $after{number}' if number else ''}) {{ {selection} }}"
        for number in range(5)
    )
    return f"query W4({variables}) {{ {' '.join(pages)} }}".replace("POST", post)


GQLAPI["W4"] = five_pages("Cursor", "content { markdown }", "nodes { POST }")
PEER["W4"] = five_pages("ID", "markdown", "POST")
