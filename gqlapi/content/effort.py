"""The bounds of one rendering, and how it ends when it exceeds them.

Unrenderable
├── HtmlTooLong     the HTML would be longer than allowed
└── TooComplex      rendering would take more steps, or the HTML nests more deeply, than allowed
"""

from collections.abc import Callable

# A step is half a microsecond. None of 7,000 files of other projects takes 5 a character, and a list of single words
# takes 10; hostile texts of 100,000 characters take up to 10,000.
STEPS_PER_CHARACTER = 12
FREE_STEPS = 50_000
STEPS_PER_PAUSE = 1_000

# Called at short intervals by work that takes long: may raise to end it.
Checkpoint = Callable[[], None]


def no_checkpoint() -> None:
    """Continue: for work that nothing interrupts."""


class Unrenderable(Exception):
    """Markdown that is not rendered; the message is for its author."""


class HtmlTooLong(Unrenderable):
    """The HTML would be longer than `max_html_length` allows."""


class TooComplex(Unrenderable):
    """Rendering would take too many steps, or the HTML nests too deeply."""


class Effort:
    """Counts the steps of one rendering, in any unit of work that the parser repeats."""

    def __init__(self, length: int, checkpoint: Checkpoint = no_checkpoint) -> None:
        """Allow a number of steps that is linear in the length of the Markdown."""
        self._left = FREE_STEPS + STEPS_PER_CHARACTER * length
        self._next_pause = self._left - STEPS_PER_PAUSE
        self._checkpoint = checkpoint

    @property
    def left(self) -> int:
        """The number of steps that are still allowed."""
        return self._left

    def spend(self, steps: int = 1) -> None:
        """Count steps, and call the checkpoint once for each few hundred.

        Raises:
            TooComplex: there were too many.
        """
        self._left -= steps
        if self._left < self._next_pause:
            self._pause()

    def _pause(self) -> None:
        if self._left < 0:
            raise TooComplex("The Markdown is too complex to be rendered.")
        self._next_pause = self._left - STEPS_PER_PAUSE
        self._checkpoint()
