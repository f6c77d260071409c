"""Attacks by headers."""

import json
from base64 import urlsafe_b64encode

from benchmarks.attacks.attack import BAD_HEAD, BAD_TOKEN, DATA, JSON_TYPE, Attack, HttpRequest

QUERY = json.dumps({"query": "{__typename}"}).encode()
REFUSED = BAD_TOKEN | BAD_HEAD
ANY = DATA | BAD_HEAD
UNSUPPORTED = frozenset({"415", "406"})


def post(headers: dict[str, str], media_type: str = JSON_TYPE) -> HttpRequest:
    """Return a harmless operation with hostile headers."""
    return HttpRequest(headers={"Content-Type": media_type, **headers}, body=QUERY)


def bearer(token: str) -> HttpRequest:
    """Return a harmless operation with a hostile token."""
    return post({"Authorization": f"Bearer {token}"})


def segment(text: bytes) -> str:
    """Return a part of a JWT."""
    return urlsafe_b64encode(text).rstrip(b"=").decode()


ATTACKS = (
    Attack("headers-01", "A token of 60 KB.", REFUSED, lambda _: bearer("a" * 60_000)),
    Attack("headers-02", "A token of 900 KB.", REFUSED, lambda _: bearer("a" * 900_000)),
    Attack(
        "headers-03",
        "A signed token whose header is nested 15,000 deep.",
        REFUSED,
        lambda _: bearer(f"{segment(b'[' * 15_000)}.e30.x"),
    ),
    Attack("headers-04", "A signed token of 30,000 dots.", REFUSED, lambda _: bearer("a." * 30_000)),
    Attack(
        "headers-05",
        "A signed token whose header has 5,000 keys.",
        REFUSED,
        lambda _: bearer(f"{segment(json.dumps({f'k{n}': n for n in range(3_000)}).encode())}.e30.x"),
    ),
    Attack("headers-06", "A thousand headers.", ANY, lambda _: post({f"X-Header-{n}": "a" for n in range(1_000)})),
    Attack("headers-07", "Five thousand headers.", ANY, lambda _: post({f"X-{n}": "" for n in range(5_000)})),
    Attack("headers-08", "A header of 900 KB.", ANY, lambda _: post({"X-Header": "a" * 900_000})),
    Attack("headers-09", "A cookie of 60 KB.", ANY, lambda _: post({"Cookie": "a=b;" * 15_000})),
    Attack(
        "headers-10",
        "Fifteen thousand media types to choose from.",
        ANY | UNSUPPORTED,
        lambda _: post({"Accept": "a/b;q=0.1," * 5_000}),
    ),
    Attack(
        "headers-11",
        "A media type with 10,000 parameters.",
        ANY | UNSUPPORTED,
        lambda _: post({}, JSON_TYPE + ";a=b" * 10_000),
    ),
    Attack(
        "headers-12",
        "Five thousand forwarding proxies.",
        ANY,
        lambda _: post({"X-Forwarded-For": ", ".join(["10.0.0.1"] * 5_000)}),
    ),
    Attack("headers-13", "An id of a request with 60 KB.", ANY, lambda _: post({"X-Request-Id": "a" * 60_000})),
    Attack("headers-14", "An origin of 60 KB.", ANY, lambda _: post({"Origin": f"http://{'a' * 60_000}.example"})),
    Attack(
        "headers-15",
        "Accepted languages and encodings without end.",
        ANY,
        lambda _: post({"Accept-Language": "a;q=0.1," * 5_000, "Accept-Encoding": "gzip;q=0.1," * 3_000}),
    ),
    Attack(
        "headers-16",
        "An expectation that is to be confirmed.",
        ANY | frozenset({"417"}),
        lambda _: post({"Expect": "100-continue"}),
    ),
    Attack(
        "headers-17", "A scheme of 60 KB without a token.", REFUSED, lambda _: post({"Authorization": "B" * 60_000})
    ),
    Attack("headers-18", "A user agent of 60 KB.", ANY, lambda _: post({"User-Agent": "a" * 60_000})),
)
