"""The page that a browser gets at the GraphQL endpoint, and the files that it loads."""

import gzip
import json
import re
from functools import lru_cache
from html import escape
from pathlib import Path

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gqlapi.http.conditional import answer_once
from gqlapi.http.graphiql import bundle, fallback
from gqlapi.http.graphiql.bundle import Bundle

HTTP_NOT_FOUND = 404
TAKES_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))")
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".ttf": "font/ttf", ".txt": "text/plain"}
# Monaco, the editor in GraphiQL, makes style elements while it runs; scripts come from files only.
POLICY = (
    "default-src 'none'; script-src 'self'{scripts}; style-src 'self' 'unsafe-inline'{styles}; font-src 'self' data:; "
    "img-src 'self' data:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
# All addresses are relative to the page's own: a proxy may put the server below any path.
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>GraphiQL - gqlapi</title>
<link rel="icon" href="data:,">
{head}
</head>
<body style="margin: 0">
<div id="graphiql" style="height: 100vh" data-endpoint="{name}" data-examples="{examples}"></div>
<noscript>GraphiQL needs JavaScript.</noscript>
</body>
</html>
"""

logger = structlog.get_logger()


class BrowserPage:
    """Answers with the page what a browser opens, and passes everything else on to the endpoint."""

    def __init__(self, endpoint: ASGIApp) -> None:
        """Stand before an endpoint."""
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope)
        opens = request.method in {"GET", "HEAD"} and "query" not in request.query_params
        answer = (
            _page(request) if opens and "text/html" in request.headers.get("accept", "").lower() else self._endpoint
        )
        await answer(scope, receive, send)


async def send_asset(request: Request) -> Response:
    """Send a file of the page; its name changes with its content, so that it may be kept for ever."""
    name = request.path_params["name"]
    current = current_bundle()
    compressed = current.files.get(name) if current else fallback.FILES.get(name)
    if compressed is None:
        raise HTTPException(HTTP_NOT_FOUND)
    takes_gzip = TAKES_GZIP.search(request.headers.get("accept-encoding", ""))
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    if takes_gzip:
        headers["Content-Encoding"] = "gzip"
    content = compressed if takes_gzip else gzip.decompress(compressed)
    return answer_once(request, Response(content, headers=headers, media_type=MEDIA_TYPES[Path(name).suffix]))


def current_bundle() -> Bundle | None:
    """Return the newest bundle, or None where none has been built."""
    # Looked for with each request, so that a build in another process is seen.
    folder = bundle.find_bundle(bundle.BUNDLES)
    return _load(folder) if folder else None


@lru_cache(maxsize=1)
def _load(folder: Path) -> Bundle:
    return bundle.load_bundle(folder)


def load_examples() -> list[str]:
    """Read the example operations: inside an installed package, or beside the package in a checkout."""
    here = Path(__file__).resolve()
    for folder in (here.parent / "examples", here.parents[3] / "examples"):
        if folder.is_dir():
            return [path.read_text(encoding="utf-8").strip() for path in sorted(folder.glob("*.graphql"))]
    return []


def _page(request: Request) -> Response:
    # The last part of the path is how the page finds its own address.
    name = request.url.path.rpartition("/")[2]
    current = current_bundle()
    if current is None:
        logger.warning("graphiql is not built: its page loads from a CDN", cdn=fallback.HOST)
    head = _head(f"{name}/assets/", current) if current else fallback.head(f"{name}/assets/")
    html = PAGE.format(head=head, name=escape(name), examples=escape(json.dumps(load_examples())))
    scripts, styles = ("", "") if current else (fallback.SCRIPT_SOURCES, fallback.STYLE_SOURCES)
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": POLICY.format(scripts=scripts, styles=styles),
        "Vary": "Accept",
    }
    return answer_once(request, HTMLResponse(html, headers=headers))


def _head(assets: str, current: Bundle) -> str:
    return (
        f'<link rel="stylesheet" href="{assets}{current.style}">\n'
        f'<script type="module" src="{assets}{current.script}"></script>'
    )
