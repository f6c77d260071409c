"""What caches may keep of the public's answers: declared once for each type and field, by schema coordinates.

A value with several rules follows all of them. What inherits from its parent has none.
"""

from gqlapi.operations.caching import CacheRule, CacheRules

POSTS = frozenset({"Post"})
# Users are visible once they have published a post.
USERS = frozenset({"User", "Post"})
TAGS = frozenset({"Tag"})
ALL = POSTS | USERS | TAGS

OBJECT_SECONDS = 3_600
LIST_SECONDS = 300
STATIC_SECONDS = 300

PRIVATE = CacheRule(is_private=True)

CACHE_RULES: CacheRules = {
    "Post": CacheRule(OBJECT_SECONDS),
    "User": CacheRule(OBJECT_SECONDS),
    "Tag": CacheRule(OBJECT_SECONDS),
    "PostConnection": CacheRule(LIST_SECONDS, rows_of=POSTS),
    "UserConnection": CacheRule(LIST_SECONDS, rows_of=USERS),
    "TagConnection": CacheRule(LIST_SECONDS, rows_of=TAGS),
    "SearchConnection": CacheRule(LIST_SECONDS, rows_of=ALL),
    "PostAggregates": CacheRule(LIST_SECONDS, rows_of=ALL),
    # Another post may come between, or share more tags.
    **{f"Post.{name}": CacheRule(LIST_SECONDS, rows_of=POSTS) for name in ("previous", "next", "related")},
    "User.postCount": CacheRule(LIST_SECONDS, rows_of=POSTS),
    "Tag.postCount": CacheRule(LIST_SECONDS, rows_of=POSTS),
    # Filters reach into related rows.
    "PostFilter": CacheRule(rows_of=ALL),
    "UserFilter": CacheRule(rows_of=ALL),
    "TagFilter": CacheRule(rows_of=ALL),
    # So do orderings, by the number of posts.
    "UserOrder": CacheRule(rows_of=USERS),
    "TagOrder": CacheRule(rows_of=TAGS | POSTS),
    "Query.post": CacheRule(missing=POSTS),
    "Query.user": CacheRule(missing=USERS),
    "Query.tag": CacheRule(missing=TAGS),
    "Query.node": CacheRule(missing=ALL),
    "Query.nodes": CacheRule(missing=ALL),
    "ServerInfo": CacheRule(STATIC_SECONDS),
    "Query.viewer": PRIVATE,
    "Query.rateLimit": PRIVATE,
    "Query.viewerCanCreatePost": PRIVATE,
    "Post.viewerCanPublish": PRIVATE,
    "User.email": PRIVATE,
    "User.role": PRIVATE,
    "User.apiTokens": PRIVATE,
    "User.sessions": PRIVATE,
    **{f"{name}.viewerCan{verb}": PRIVATE for name in ("Post", "User", "Tag") for verb in ("Update", "Delete")},
}
