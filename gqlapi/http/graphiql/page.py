"""The page that a browser gets at the GraphQL endpoint, and the files that it loads."""

import gzip
import json
import re
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gqlapi.accounts.demo import DEMO_PASSWORD, DEMO_USERS
from gqlapi.http.conditional import answer_once
from gqlapi.http.graphiql import bundle, fallback, waiting
from gqlapi.http.graphiql.bundle import Bundle
from gqlapi.http.graphiql.examples import load_examples
from gqlapi.http.graphiql.progress import read_progress

HTTP_NOT_FOUND = 404
TAKES_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))")
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".ttf": "font/ttf", ".txt": "text/plain"}
# A file of the page that is no file: whether there is a bundle, and how far its build is.
STATE_NAME = "build.json"
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
<style>
body {{ margin: 0 }}
#graphiql {{ height: 100vh; height: 100dvh }}
.notice {{ max-width: 34rem; margin: 0 auto; padding: 18vh 1.5rem 0; font: 1rem/1.6 system-ui, sans-serif }}
.notice h1 {{ font-size: 1.5rem }}
.notice progress {{ width: 100% }}
</style>
{head}
</head>
<body>
<div id="graphiql" data-config="{config}">{content}</div>
<noscript>GraphiQL needs JavaScript.</noscript>
</body>
</html>
"""
LOADING = '<main class="notice"><p role="status">GraphiQL is loading.</p></main>'


class BrowserPage:
    """Answers with the page what a browser opens, and passes everything else on to the endpoint."""

    def __init__(self, endpoint: ASGIApp, *, offers_demo: bool) -> None:
        """Serve the page in front of an endpoint; `offers_demo` adds buttons that sign in as the demo users."""
        self._endpoint = endpoint
        self._demo = {"logins": [*DEMO_USERS], "password": DEMO_PASSWORD} if offers_demo else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope)
        # `query` in the address is what the page opens with.
        opens = request.method in {"GET", "HEAD"} and "text/html" in request.headers.get("accept", "").lower()
        answer = _page(request, self._demo) if opens else self._endpoint
        await answer(scope, receive, send)


async def send_asset(request: Request) -> Response:
    """Send a file of the page; its name changes with its content, so caches may keep it."""
    name = request.path_params["name"]
    current = current_bundle()
    if name == STATE_NAME:
        return _state(is_built=current is not None)
    compressed = current.files.get(name) if current else (fallback.FILES | waiting.FILES).get(name)
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


def _state(*, is_built: bool) -> Response:
    progress = None if is_built else read_progress(bundle.BUNDLES)
    content = {"built": is_built, "progress": progress._asdict() if progress else None}
    return JSONResponse(content, headers={"Cache-Control": "no-store"})


def _page(request: Request, demo: dict[str, Any] | None) -> Response:
    # The last part of the path is how the page finds its own address.
    name = request.url.path.rpartition("/")[2]
    assets = f"{name}/assets/"
    config: dict[str, Any] = {"endpoint": name, "examples": load_examples(), "demo": demo}
    scripts = styles = ""
    if current := current_bundle():
        head, content = _head(assets, current), LOADING
    elif read_progress(bundle.BUNDLES):
        head, content = waiting.head(assets), waiting.CONTENT
    else:
        head, content = fallback.head(assets), fallback.CONTENT
        scripts, styles = fallback.SCRIPT_SOURCES, fallback.STYLE_SOURCES
        config["cdn"] = fallback.config()
    html = PAGE.format(head=head, content=content, config=escape(json.dumps(config)))
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
