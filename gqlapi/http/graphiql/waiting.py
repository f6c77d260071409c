"""The page while the bundle is built: it shows the progress, and reloads itself at the end."""

import gzip
import hashlib
from pathlib import Path

_SCRIPT = Path(__file__).with_suffix(".js").read_bytes()
SCRIPT_NAME = f"waiting-{hashlib.sha256(_SCRIPT).hexdigest()[:8]}.js"
# In the form in which a bundle holds its files.
FILES = {SCRIPT_NAME: gzip.compress(_SCRIPT, mtime=0)}
CONTENT = """<main class="notice">
<h1>GraphiQL is being built</h1>
<p>This happens once and takes about half a minute. The page opens GraphiQL at the end; the API answers already.</p>
<progress></progress>
<p id="state" role="status"></p>
</main>"""


def head(assets: str) -> str:
    """Return the tag of the script."""
    return f'<script defer src="{assets}{SCRIPT_NAME}"></script>'
