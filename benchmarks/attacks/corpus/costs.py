"""Attacks by what an allowed operation returns or reads."""

from benchmarks.attacks.attack import DATA, INVALID, TOO_LARGE, Attack, aliased, graphql, nest, nested
from benchmarks.attacks.content import COMMON_WORD, POST_IDS, WIDE_POST_SLUG

ANY = DATA | TOO_LARGE
HTML = "content{html}"
POST_SCALARS = (
    "id slug title excerpt status readingTimeMinutes publishedAt createdAt updatedAt version viewerCanUpdate "
    "viewerCanDelete deletedAt"
)
UNINDEXED = "orderBy:[{field:UPDATED_AT},{field:TITLE,direction:DESC},{field:CREATED_AT},{field:PUBLISHED_AT}]"

ATTACKS = (
    Attack(
        "costs-01", "A hundred cursors without a node.", ANY, lambda _: graphql("{posts(first:100){edges{cursor}}}")
    ),
    Attack(
        "costs-02",
        "Cursors of 100 posts under 30 aliases of 100 tags: 300,000 rows without an id.",
        TOO_LARGE,
        lambda _: graphql(f"{{tags(first:100){{nodes{{{aliased(29, 'posts(first:100){edges{cursor}}')}}}}}}}"),
    ),
    Attack(
        "costs-03",
        "Twenty counts of posts whose title contains something.",
        ANY,
        lambda _: graphql(
            "{" + " ".join(f'a{n}:posts(filter:{{title:{{contains:"zq{n}"}}}}){{totalCount}}' for n in range(20)) + "}"
        ),
    ),
    Attack(
        "costs-04",
        "One count under 29 aliases.",
        ANY,
        lambda _: graphql(f'{{posts(filter:{{title:{{contains:"zzz"}}}}){{{aliased(29, "totalCount")}}}}}'),
    ),
    Attack(
        "costs-05",
        "Filtered counts of 100 users under 28 aliases.",
        ANY,
        lambda _: graphql(
            "{users(first:100){nodes{"
            + " ".join(f'a{n}:postCount(filter:{{title:{{contains:"zq{n}"}}}})' for n in range(28))
            + "}}}"
        ),
    ),
    Attack(
        "costs-06",
        "Counts of nested lists of 100 users under 28 aliases.",
        ANY,
        lambda _: graphql(f"{{users(first:100){{nodes{{{aliased(28, 'posts{totalCount}')}}}}}}}"),
    ),
    Attack(
        "costs-07",
        "Twenty aggregates of the lengths of all texts.",
        TOO_LARGE,
        lambda _: graphql(f"{{{aliased(20, 'postAggregates{averageLength}')}}}"),
    ),
    Attack(
        "costs-08",
        "Nine aggregates of lengths, as many as the points allow.",
        ANY,
        lambda _: graphql(f"{{{aliased(9, 'postAggregates(groupBy:DAY,top:100){averageLength count buckets{key}}')}}}"),
    ),
    Attack(
        "costs-09",
        "Twenty searches for a beginning that every row has.",
        ANY,
        lambda _: graphql("{" + aliased(20, 'search(query:"a*"){totalCount}') + "}"),
    ),
    Attack(
        "costs-10",
        "Highlights of 100 hits in texts of 100,000 characters.",
        ANY,
        lambda _: graphql(f'{{search(query:"{COMMON_WORD}",types:[POST],first:100){{edges{{highlight}}}}}}'),
    ),
    Attack(
        "costs-11",
        "Highlights of 100 hits under 20 aliases of the root.",
        ANY,
        lambda _: graphql(
            "{" + aliased(20, f'search(query:"{COMMON_WORD}",types:[POST],first:100){{edges{{highlight}}}}') + "}"
        ),
    ),
    Attack(
        "costs-12",
        "Highlights of 100 hits under 28 aliases of the leaf.",
        ANY,
        lambda _: graphql(
            f'{{search(query:"{COMMON_WORD}",types:[POST],first:100){{edges{{{aliased(28, "highlight")}}}}}}}'
        ),
    ),
    Attack(
        "costs-13",
        "Orderings that no index serves in 20 root fields.",
        ANY,
        lambda _: graphql(f"{{{aliased(20, f'posts(first:100,{UNINDEXED}){{nodes{{id}}}}')}}}"),
    ),
    Attack(
        "costs-14",
        "The HTML of one post under 25 aliases.",
        ANY,
        lambda _: graphql(f'{{post(by:{{slug:"{WIDE_POST_SLUG}"}}){{{aliased(25, HTML)}}}}}'),
    ),
    Attack(
        "costs-15",
        "The HTML of 100 posts of 100,000 characters.",
        ANY,
        lambda _: graphql("{posts(first:100){nodes{content{html}}}}"),
    ),
    Attack(
        "costs-16",
        "The three forms of 100 posts.",
        ANY,
        lambda _: graphql("{posts(first:100){nodes{content{html markdown text}}}}"),
    ),
    Attack(
        "costs-17",
        "The HTML of 100 posts under 25 aliases.",
        TOO_LARGE,
        lambda _: graphql(f"{{posts(first:100){{nodes{{{aliased(25, HTML)}}}}}}}"),
    ),
    Attack(
        "costs-18",
        "The HTML of 100 posts in each of 20 root fields.",
        TOO_LARGE,
        lambda _: graphql(f"{{{aliased(20, 'posts(first:100){nodes{content{html}}}')}}}"),
    ),
    Attack(
        "costs-19",
        "The HTML of 100 posts under each of 99 tags.",
        TOO_LARGE,
        lambda _: graphql("{tags(first:99){nodes{posts(first:100){nodes{content{html}}}}}}"),
    ),
    Attack(
        "costs-20",
        "One hundred ids in 20 root fields, each with its body.",
        TOO_LARGE,
        lambda _: graphql(
            f"query($v:[ID!]!){{{aliased(20, 'nodes(ids:$v){...on Post{content{html}}}')}}}", {"v": POST_IDS}
        ),
    ),
    Attack(
        "costs-21",
        "One id 100 times, with 25 aliases of its body.",
        TOO_LARGE,
        lambda _: graphql(
            f"query($v:ID!){{nodes(ids:[{'$v ' * 100}]){{...on Post{{{aliased(25, HTML)}}}}}}}", {"v": POST_IDS[0]}
        ),
    ),
    Attack(
        "costs-22",
        "Excerpts of 2,000 characters of 100 posts under 28 aliases.",
        ANY,
        lambda _: graphql(f"{{posts(first:100){{nodes{{{aliased(28, 'excerpt(length:2000)')}}}}}}}"),
    ),
    Attack(
        "costs-23",
        "All scalars of 100 posts under each of 99 tags: 9,900 rows.",
        ANY,
        lambda _: graphql(f"{{tags(first:99){{nodes{{posts(first:100){{nodes{{{POST_SCALARS}}}}}}}}}}}"),
    ),
    Attack(
        "costs-24",
        "Authors and their posts in turn, to the limit of depth.",
        ANY,
        lambda _: graphql("{" + nested(7, "posts(first:3){nodes{author{", "}}}", "id ") + "}"),
    ),
    Attack(
        "costs-25",
        "Tags and posts in turn, each with 20.",
        ANY,
        lambda _: graphql("{tags(first:20){nodes{posts(first:10){nodes{tags{posts(first:1){nodes{id}}}}}}}}"),
    ),
    Attack(
        "costs-26",
        "Biographies of 2,000 characters of 100 users under 28 aliases.",
        ANY,
        lambda _: graphql(f"{{users(first:100){{nodes{{{aliased(28, 'bio')}}}}}}}"),
    ),
    Attack(
        "costs-27",
        "Descriptions of 2,000 characters of 100 tags under 28 aliases.",
        ANY,
        lambda _: graphql(f"{{tags(first:100){{nodes{{{aliased(28, 'description')}}}}}}}"),
    ),
    Attack(
        "costs-28",
        "The biography of the author of 100 posts under 28 aliases of the relation.",
        ANY,
        lambda _: graphql(f"{{posts(first:100){{nodes{{{aliased(28, 'author{bio}')}}}}}}}"),
    ),
    Attack(
        "costs-29",
        "Groups by day with a node each, in 20 root fields.",
        ANY,
        lambda _: graphql(
            f"{{{aliased(20, 'postAggregates(groupBy:TAG,top:100){buckets{key count node{...on Node{id}}}}')}}}"
        ),
    ),
    Attack(
        "costs-30",
        "Twenty searches inside one filter, under each of 5 users.",
        ANY,
        lambda _: graphql(
            "query($v:PostFilter){users(first:5){nodes{postCount(filter:$v)}}}",
            {"v": {"or": [{"search": f"{COMMON_WORD} w{n}*"} for n in range(20)]}},
        ),
    ),
    Attack(
        "costs-31",
        "Page information of 28 pages of 100 users: no object with an id.",
        ANY,
        lambda _: graphql(f"{{users(first:100){{nodes{{{aliased(28, 'posts(first:100){pageInfo{endCursor}}')}}}}}}}"),
    ),
    Attack(
        "costs-32",
        "Type names of 9,900 rows, which read nothing and are free.",
        ANY,
        lambda _: graphql(f"{{tags(first:100){{nodes{{posts(first:98){{nodes{{{aliased(27, '__typename')}}}}}}}}}}}"),
    ),
    Attack(
        "costs-33",
        "The tags of 100 posts under 4 aliases of the relation.",
        ANY,
        lambda _: graphql(f"{{posts(first:100){{nodes{{{aliased(4, 'tags{name}')}}}}}}}"),
    ),
    Attack(
        "costs-34",
        "Scores and cursors of 1,000 candidates without a node, under 20 aliases.",
        ANY,
        lambda _: graphql(
            "{" + aliased(20, f'search(query:"{COMMON_WORD}",types:[POST],first:100){{edges{{score cursor}}}}') + "}"
        ),
    ),
    Attack(
        "costs-35",
        "Fields that @skip hides at run time, 5,000 of them through fragments.",
        ANY | INVALID,
        lambda _: graphql(
            "query($v:Boolean!){posts(first:100){nodes{...A @skip(if:$v) ...A @include(if:$v)}}}"
            f"fragment A on Post{{{' '.join(f'...B{n}' for n in range(40))}}}"
            + " ".join(f"fragment B{n} on Post{{id title slug author{{id bio}}}}" for n in range(40)),
            {"v": False},
        ),
    ),
    Attack(
        "costs-36",
        "Posts of authors of posts of authors by filters only: nested subqueries over all rows.",
        ANY,
        lambda _: graphql(
            "query($v:PostFilter){" + aliased(20, "posts(filter:$v){totalCount}") + "}",
            {"v": {"not": nest(2, "not", {"author": {"username": {"contains": "e"}}, "tags": {"none": {}}})}},
        ),
    ),
    Attack(
        "costs-37",
        "The bodies of 100 hits.",
        ANY,
        lambda _: graphql(
            f'{{search(query:"{COMMON_WORD}",types:[POST],first:100){{nodes{{...on Post{{content{{html text}}}}}}}}}}'
        ),
    ),
    Attack(
        "costs-38",
        "The bodies of 100 posts of the author of a group, in 20 root fields.",
        TOO_LARGE,
        lambda _: graphql(
            "{"
            + aliased(
                20,
                "postAggregates(groupBy:AUTHOR,top:1){buckets{node{"
                "...on User{posts(first:100){nodes{content{markdown}}}}}}}",
            )
            + "}"
        ),
    ),
    Attack(
        "costs-39",
        "One post by 20 root fields with 1 alias each: no alias is repeated in a list.",
        ANY,
        lambda _: graphql(
            "{" + aliased(20, f'post(by:{{slug:"{WIDE_POST_SLUG}"}}){{content{{html markdown text}}}}') + "}"
        ),
    ),
    Attack(
        "costs-40",
        "Searches of 20 beginnings of one letter under 20 aliases.",
        ANY,
        lambda _: graphql(
            "query($v:String!){" + aliased(20, "search(query:$v){totalCount}") + "}",
            {"v": " ".join(f"w{digit}*" for digit in range(10))},
        ),
    ),
    Attack(
        "costs-41",
        "Highlights of a beginning that 20,000 words of each of 100 texts have.",
        ANY,
        lambda _: graphql('{search(query:"w*",types:[POST],first:100){edges{highlight}}}'),
    ),
    Attack(
        "costs-42",
        "Filtered pages of 100 users in an order that no index serves, with their counts.",
        ANY,
        lambda _: graphql(
            "{users(first:100){nodes{"
            f'posts(first:18,{UNINDEXED},filter:{{title:{{contains:"o"}}}}){{totalCount nodes{{id}}}}'
            "}}}"
        ),
    ),
    Attack(
        "costs-43",
        "A phrase of 19 words that all texts have, in 20 root fields.",
        ANY,
        lambda _: graphql(
            "query($v:String!){" + aliased(20, "search(query:$v,types:[POST]){totalCount}") + "}",
            {"v": '"' + " ".join(f"w{n}" for n in range(100, 119)) + '"'},
        ),
    ),
    Attack(
        "costs-44",
        "As many values as the limit of cost just allows.",
        ANY,
        lambda _: graphql(
            "{tags(first:45){nodes{posts(first:40){nodes{"
            "id title slug status publishedAt readingTimeMinutes updatedAt createdAt version}}}}}"
        ),
    ),
    Attack(
        "costs-45",
        "Thirteen searches of 20 beginnings, each of which ranks all texts.",
        TOO_LARGE,
        lambda _: graphql(
            "{"
            + " ".join(
                f'a{n}:search(query:"{" ".join(f"w{n}{term}*" for term in range(20))}"){{totalCount}}'
                for n in range(13)
            )
            + "}"
        ),
    ),
    Attack(
        "costs-46",
        "As many searches as the limit of cost just allows.",
        DATA,
        lambda _: graphql(
            "{" + " ".join(f'a{n}:search(query:"w{n}*",first:1){{nodes{{__typename}}}}' for n in range(4)) + "}"
        ),
    ),
    Attack(
        "costs-47",
        "Highlights of 100 hits of six searches.",
        TOO_LARGE,
        lambda _: graphql(
            "{"
            + " ".join(
                f'a{n}:search(query:"{COMMON_WORD} -q{n}",types:[POST],first:100){{edges{{highlight}}}}'
                for n in range(6)
            )
            + "}"
        ),
    ),
    Attack(
        "costs-48",
        "An alias of 60 KB for each of 2,000 tags of 100 posts: 120 MB.",
        TOO_LARGE,
        lambda _: graphql(f"{{posts(first:100){{nodes{{tags{{{'a' * 60_000}:id}}}}}}}}"),
    ),
    Attack(
        "costs-49",
        "The same for each row of a nested list.",
        TOO_LARGE,
        lambda _: graphql(f"{{tags(first:40){{nodes{{posts(first:100){{nodes{{{'a' * 60_000}:__typename}}}}}}}}}}"),
    ),
)
