"""The page of a server without a bundle: the last GraphiQL that loads from a CDN without a build."""

import gzip
import hashlib
import re
from pathlib import Path
from typing import Any

HOST = "https://cdn.jsdelivr.net/npm/"
REMEDY = "Install Node.js and start `gqlapi dev` again, or run `uv run --no-dev --group graphiql gqlapi dev`."
# Taken from the packages themselves; a browser refuses a file with other bytes.
STYLES = {
    "graphiql@4.1.2/graphiql.min.css": "MEh+B2NdMSpj9kexQNN3QKc8UzMrCXW/Sx/phcpuyIU=",
    "@graphiql/plugin-explorer@4.0.6/dist/style.css": "aJCaSuI7+t/EWRrLTis8jU9EFTua5/o7fnwxnroxDvE=",
}
SCRIPTS = {
    "react@18.3.1/umd/react.production.min.js": "2Unxw2h67a3O2shSYYZfKbF80nOZfn9rK/xTsvnUxN0=",
    "react-dom@18.3.1/umd/react-dom.production.min.js": "NfT5dPSyvNRNpzljNH+JUuNB+DkJ5EmCJ9Tia5j2bw0=",
    "graphiql@4.1.2/graphiql.min.js": "hnImuor1znlJkD/FOTL3jayfS/xsyNoP04abi8bFJWs=",
    "@graphiql/plugin-explorer@4.0.6/dist/index.umd.js": "UM8sWOS0Xa9yLY85q6Clh0pF4qpxX+TOcJ41flECqBs=",
}
# What a Content-Security-Policy allows: these files, not every package of the CDN.
STYLE_SOURCES = "".join(f" {HOST}{path}" for path in STYLES)
SCRIPT_SOURCES = "".join(f" {HOST}{path}" for path in SCRIPTS)
_START = Path(__file__).with_suffix(".js").read_bytes()
START_NAME = f"fallback-{hashlib.sha256(_START).hexdigest()[:8]}.js"
# In the form in which a bundle holds its files.
FILES = {START_NAME: gzip.compress(_START, mtime=0)}
_REMEDY_HTML = re.sub("`(.+?)`", r"<code>\1</code>", REMEDY)
CONTENT = f"""<main class="notice">
<h1>GraphiQL is not built</h1>
<p id="state">It is loading from a CDN.</p>
<p>{_REMEDY_HTML}</p>
</main>"""


def config() -> dict[str, Any]:
    """Return what the script loads from the CDN, in order, with integrity hashes.

    The page has no tags for these files: a browser would wait for a CDN that does not answer, and show nothing.
    """
    return {"styles": _with_integrity(STYLES), "scripts": _with_integrity(SCRIPTS)}


def head(assets: str) -> str:
    """Return the tag of the script that loads and starts GraphiQL."""
    return f'<script defer src="{assets}{START_NAME}"></script>'


def _with_integrity(files: dict[str, str]) -> list[list[str]]:
    return [[HOST + path, f"sha256-{digest}"] for path, digest in files.items()]
