"""A bound on what an HTML parser makes of HTML, found without parsing it.

An HTML parser repeats each formatting element that is still open (`<b>`) in each block that follows, with its
attributes: thousands of both are a product, and gigabytes. The parser cannot be interrupted, so its list of active
formatting elements is followed here from the tags alone. Where an end tag may have no effect, it has none here: the
bound is never too low, and well-formed HTML is never near it.

https://html.spec.whatwg.org/multipage/parsing.html#the-list-of-active-formatting-elements
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from gqlapi.content.effort import Effort, HtmlTooLong, TooComplex

MAX_OPEN_FORMATTING = 100
MAX_DEPTH = 2_000
MAX_COPIES = 20_000
MAX_ATTRIBUTES = 1_000
# The adoption agency algorithm moves an end tag's element out of so many blocks.
MAX_BLOCKS_CROSSED = 7
# What is equal is active three times at most.
MAX_EQUAL = 3
# Elements that are looked at for one step.
STEPS_AT_ONCE = 16

# fmt: off
FORMATTING = frozenset({
    "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
})
VOID = frozenset({
    "area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "image", "img", "input", "keygen",
    "link", "meta", "param", "source", "track", "wbr",
    # They have no effect inside of a body.
    "body", "frameset", "head", "html",
})
# Inside of them, an end tag does not reach elements that were opened before.
BOUNDARIES = frozenset({
    "annotation-xml", "applet", "caption", "desc", "foreignobject", "marquee", "math", "mi", "mn", "mo", "ms", "mtext",
    "object", "select", "svg", "table", "td", "template", "th", "title",
})
# What is inside is text.
RAW = frozenset({
    "iframe", "noembed", "noframes", "noscript", "plaintext", "script", "style", "textarea", "title", "xmp",
})
# fmt: on
LIST_BOUNDARIES = {"li": frozenset({"ol", "ul"}), "p": frozenset({"button"})}

_SPACE = r"\t\n\f\r "
_VALUE = rf"""[{_SPACE}]*+=[{_SPACE}]*+(?:"[^"]*+"|'[^']*+'|[^{_SPACE}>"'][^{_SPACE}>]*+)?+"""
_ATTRIBUTE = rf"(?:=[^{_SPACE}/>=]*+|[^{_SPACE}/>=]++)(?:{_VALUE})?+"
# https://html.spec.whatwg.org/multipage/parsing.html#tokenization
_TAG = re.compile(
    rf"<(?P<slash>/?)(?P<name>[A-Za-z][^{_SPACE}/>]*+)(?P<attributes>(?:[{_SPACE}/]++|{_ATTRIBUTE})*+)>"
    r"|<!--(?:>|->|.*?(?:--!?>|\Z))"
    r"|<(?:(?P<cdata>!\[CDATA\[)|[!?/])[^>]*+>",
    re.DOTALL,
)
_ATTRIBUTES = re.compile(_ATTRIBUTE)
_FORMATTING_TAG = re.compile(rf"<(?:{'|'.join(sorted(FORMATTING))})(?![^{_SPACE}/>])", re.IGNORECASE)


def check_nesting(html: str, max_length: int, effort: Effort) -> None:
    """Check that an HTML parser makes a bounded number of elements of HTML, and of a bounded length.

    Raises:
        TooComplex: too many elements would be open at once, or repeated.
        HtmlTooLong: what is repeated would be longer than `max_length`.
    """
    _Elements(html, max_length, effort).check()


@dataclass(slots=True, eq=False)
class _Element:
    name: str
    attributes: str
    is_active: bool

    @property
    def length(self) -> int:
        """The number of characters of its tags."""
        return 2 * len(self.name) + len(self.attributes) + len("<></>")


class _Elements:
    """The elements that are open, the innermost last."""

    def __init__(self, html: str, max_length: int, effort: Effort) -> None:
        self._html = html
        self._left = max_length
        self._effort = effort
        self._copies = 0
        self._active = 0
        self._active_length = 0
        self._open: list[_Element] = []

    def check(self) -> None:
        # A tag that is not closed before the end is none; without it, looking for its end would take the square.
        end, position = self._html.rfind(">") + 1, 0
        while match := _TAG.search(self._html, position, end):
            position = match.end()
            self._effort.spend()
            name = match["name"]
            if name is None:
                if match["cdata"] and self._in_boundary():
                    return self._assume_the_worst(match.start())
            elif match["slash"]:
                self._close(_lower(name))
            else:
                self._start(_lower(name), match["attributes"])
                if _lower(name) in RAW:
                    position = self._skip_text(_lower(name), position)
                    if position < 0:
                        return self._assume_the_worst(match.end())
        return None

    def _start(self, name: str, attributes: str) -> None:
        if len(attributes) > MAX_ATTRIBUTES and len(_ATTRIBUTES.findall(attributes)) > MAX_ATTRIBUTES:
            raise TooComplex(f"A tag has more than {MAX_ATTRIBUTES:,} attributes.")
        is_formatting = name in FORMATTING
        if not is_formatting:
            self._repeat(self._active, self._active_length)
        if name in VOID:
            return
        element = _Element(name, attributes.strip(), is_formatting)
        if is_formatting:
            self._forget_equal(element)
        self._open.append(element)
        self._count(element, 1 if is_formatting else 0)
        if len(self._open) > MAX_DEPTH or self._active > MAX_OPEN_FORMATTING:
            raise TooComplex("The Markdown or its HTML nests too deeply.")

    def _forget_equal(self, element: _Element) -> None:
        """Apply what a start tag does to active elements: an equal one is repeated twice at most, a link never."""
        equal = [
            other
            for other in self._in_scope()
            if other.is_active
            and other.name == element.name
            and (element.name == "a" or other.attributes == element.attributes)
        ]
        for other in equal if element.name == "a" else equal[MAX_EQUAL - 1 :]:
            self._deactivate(other)

    def _close(self, name: str) -> None:
        if name not in FORMATTING:
            self._repeat(self._active, self._active_length)
        blocks = copies = length = 0
        for element in self._in_scope(LIST_BOUNDARIES.get(name, frozenset())):
            if element.name == name:
                if name not in FORMATTING or blocks <= MAX_BLOCKS_CROSSED:
                    self._repeat(copies, length)
                    self._deactivate(element)
                    self._open.remove(element)
                return
            if element.is_active:
                copies, length = copies + 1, length + element.length
            else:
                blocks += 1

    def _in_scope(self, boundaries: Collection[str] = ()) -> Iterator[_Element]:
        """Yield the open elements that a tag can reach, the innermost first; the last may be a boundary."""
        for number, element in enumerate(reversed(self._open)):
            if number % STEPS_AT_ONCE == 0:
                self._effort.spend()
            yield element
            if element.name in BOUNDARIES or element.name in boundaries:
                return

    def _repeat(self, copies: int, length: int) -> None:
        self._copies += copies
        self._left -= length
        if self._copies > MAX_COPIES:
            raise TooComplex("The HTML repeats too many elements: close each before the block that it is in ends.")
        if self._left < 0:
            raise HtmlTooLong("The HTML repeats elements that are not closed, and is too long.")

    def _deactivate(self, element: _Element) -> None:
        if element.is_active:
            element.is_active = False
            self._count(element, -1)

    def _count(self, element: _Element, sign: int) -> None:
        self._active += sign
        self._active_length += sign * element.length

    def _in_boundary(self) -> bool:
        return any(element.name in BOUNDARIES for element in self._open)

    def _skip_text(self, name: str, start: int) -> int:
        """Return where the text of a raw element ends, or -1 where that depends on what is around it."""
        closing = re.compile(rf"</{name}(?=[{_SPACE}/>])", re.IGNORECASE | re.ASCII).search(self._html, start)
        end = len(self._html) if closing is None or name == "plaintext" else closing.start()
        text = self._html[start:end]
        is_nested_script = name == "script" and "<!--" in text
        is_ambiguous = "<" in text and any(e.name in BOUNDARIES for e in self._open[:-1])
        return -1 if is_nested_script or is_ambiguous else end

    def _assume_the_worst(self, start: int) -> None:
        """Take all tags of the rest for start tags, wherever they are."""
        rest = self._html[start:]
        opened = self._active + len(_FORMATTING_TAG.findall(rest))
        if opened > MAX_OPEN_FORMATTING:
            raise TooComplex("The HTML has too many elements inside of one that cannot hold them.")
        self._repeat(opened * rest.count("<"), opened * len(rest))


def _lower(name: str) -> str:
    # HTML folds ASCII alone: `K` is also what the Kelvin sign is in lower case.
    return name.lower() if name.isascii() else name
