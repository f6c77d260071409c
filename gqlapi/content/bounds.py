"""What one rendering may cost, and how it ends when it exceeds that.

Unrenderable
├── HtmlTooLong     the HTML would be longer than allowed
└── TooComplex      the Markdown or its HTML nests more deeply, or has more tags, than allowed
"""

from collections.abc import Callable

# Of a post, by the API and by imports.
MAX_MARKDOWN_LENGTH = 100_000
# Markdown is a few times shorter than its HTML; below this many bytes that is no matter.
MAX_HTML_FACTOR, FREE_HTML = 10, 65_536
# Tags and character references of the HTML, before it is sanitised: each takes a microsecond and up to 250 bytes.
MAX_MARKUP = 50_000

# Called between the steps of work that takes long: may raise to end it.
Checkpoint = Callable[[], None]


def no_checkpoint() -> None:
    """Continue: for work that nothing interrupts."""


class Unrenderable(Exception):
    """Markdown that is not rendered; the message is for its author."""


class HtmlTooLong(Unrenderable):
    """The HTML would be longer than `max_html_length` allows."""


class TooComplex(Unrenderable):
    """The Markdown or its HTML nests too deeply, or has too many tags."""


def max_html_length(markdown: str) -> int:
    """Return how many bytes the HTML of some Markdown may have."""
    return MAX_HTML_FACTOR * len(markdown.encode()) + FREE_HTML


def check_length(html: str, max_length: int) -> None:
    """Check the length of HTML in bytes.

    Raises:
        HtmlTooLong: it is longer.
    """
    if len(html) > max_length or len(html.encode()) > max_length:
        raise HtmlTooLong(f"The HTML of the Markdown would be longer than {max_length:,} bytes.")


def check_markup(html: str) -> None:
    """Check the number of tags and character references of HTML.

    Raises:
        TooComplex: there are too many.
    """
    if html.count("<") + html.count("&") + html.count("\u00a0") > MAX_MARKUP:
        raise TooComplex(f"The HTML of the Markdown has more than {MAX_MARKUP:,} tags and character references.")
