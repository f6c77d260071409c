"""The progress of a running build, in a file that the server's process reads."""

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

# In the folder of the bundles; a name with a dot is not a bundle.
NAME = ".progress.json"
WRITE_INTERVAL_SECONDS = 0.5
# A builder that has not written for so long was killed.
STALE_SECONDS = 15.0


class Progress(NamedTuple):
    """The step that runs, and the seconds since the build began."""

    step: str
    seconds: int


class ProgressFile:
    """The file of one build; call it with the current step, and `remove` it when the build ends."""

    def __init__(self, bundles: Path) -> None:
        """Prepare the file; nothing is written yet."""
        self._path = bundles / NAME
        self._started = time.monotonic()
        self._written = 0.0

    def __call__(self, step: str) -> None:
        """Write the current step, at most twice a second."""
        now = time.monotonic()
        if now - self._written < WRITE_INTERVAL_SECONDS:
            return
        self._written = now
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Renamed, so that no reader sees half of it.
        draft = self._path.with_suffix(".tmp")
        draft.write_text(json.dumps({"step": step, "seconds": round(now - self._started)}), encoding="utf-8")
        draft.replace(self._path)

    def remove(self) -> None:
        """Remove the file; without it no build is running."""
        self._path.unlink(missing_ok=True)


def read_progress(bundles: Path) -> Progress | None:
    """Return the progress of the build that is running, or None."""
    path = bundles / NAME
    with suppress(FileNotFoundError):
        if time.time() - path.stat().st_mtime < STALE_SECONDS:
            return Progress(**json.loads(path.read_bytes()))
    return None
