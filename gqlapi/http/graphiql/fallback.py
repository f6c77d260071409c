"""The page of a server without a bundle: the last GraphiQL that loads from a CDN without a build."""

import gzip
import hashlib
from pathlib import Path

HOST = "https://cdn.jsdelivr.net/npm/"
# Taken from the packages themselves; a browser refuses a file whose bytes are others.
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
    return f'integrity="sha256-{digest}" crossorigin="anonymous"'
