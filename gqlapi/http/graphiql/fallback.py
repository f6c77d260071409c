"""The page of a server without a bundle: the last GraphiQL that loads from a CDN without a build."""

import gzip
import hashlib
from pathlib import Path

HOST = "https://cdn.jsdelivr.net/npm/"
# Taken from the packages themselves; a browser refuses a file whose bytes are others.
STYLES = {
    "graphiql@4.1.2/graphiql.min.css": "1el1QShFBnnXTx9x/Cprg82hZWKt0ry29OAYIXt05swbi0KcZDFoj0CWguMpopJr",
    "@graphiql/plugin-explorer@4.0.6/dist/style.css": "XffIsImDMwexX8UM/Bg3tss0MZOeQmZcnHzk0avUrw9ff0IQ2g9j7QLA6m2lz5D0",
}
SCRIPTS = {
    "react@18.3.1/umd/react.production.min.js": "DGyLxAyjq0f9SPpVevD6IgztCFlnMF6oW/XQGmfe+IsZ8TqEiDrcHkMLKI6fiB/Z",
    "react-dom@18.3.1/umd/react-dom.production.min.js": "gTGxhz21lVGYNMcdJOyq01Edg0jhn/c22nsx0kyqP0TxaV5WVdsSH1fSDUf5YJj1",
    "graphiql@4.1.2/graphiql.min.js": "9XdHu7ajgGJziD4J1zNBKQ842Q/+zZfDv+ib1eMhZWBH6hPAs806x+Jbcf0yNO6B",
    "@graphiql/plugin-explorer@4.0.6/dist/index.umd.js": "gXYG2RCFRuAiKUaKTbKxOVlvr0U9z0D/V/l5jdvRSH46vQ+9cpkG2d3ByiggUYvD",
}
_START = Path(__file__).with_suffix(".js").read_bytes()
START_NAME = f"fallback-{hashlib.sha256(_START).hexdigest()[:8]}.js"
# In the form in which a bundle holds its files.
FILES = {START_NAME: gzip.compress(_START, mtime=0)}


def head(assets: str) -> str:
    """Return the tags that load GraphiQL and start it, in order."""
    return "\n".join(
        [
            *(f'<link rel="stylesheet" href="{HOST}{path}" {_checked(digest)}>' for path, digest in STYLES.items()),
            *(f'<script defer src="{HOST}{path}" {_checked(digest)}></script>' for path, digest in SCRIPTS.items()),
            f'<script defer src="{assets}{START_NAME}"></script>',
        ]
    )


def _checked(digest: str) -> str:
    return f'integrity="sha384-{digest}" crossorigin="anonymous"'
