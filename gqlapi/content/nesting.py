"""A bound on what an HTML parser makes of HTML, found without parsing it.

An HTML parser repeats each formatting element that is still open (`<b>`) in each block that follows, with its
attributes: thousands of both are a product, and gigabytes. The parser cannot be interrupted, so its list of active
formatting elements is followed here from the tags alone. Where an end tag may have no effect, it has none here: the
bound is never too low, and well-formed HTML is never near it.

https://html.spec.whatwg.org/multipage/parsing.html#the-list-of-active-formatting-elements
"""

import re
from collections.abc import Collection, Iterator
from itertools import accumulate

from gqlapi.content.bounds import HtmlTooLong, TooComplex

MAX_OPEN_FORMATTING = 100
MAX_DEPTH = 1_000
MAX_COPIES = 20_000
MAX_ATTRIBUTES = 1_000
# The adoption agency algorithm moves an end tag's element out of so many blocks.
MAX_BLOCKS_CROSSED = 7
# What is equal is active three times at most.
MAX_EQUAL = 3
# Open elements that are looked at because of tags that do not close the innermost one, ten in a microsecond.
MAX_LOOKS = 300_000

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
# Such a start tag closes the open element of the same name.
SELF_CLOSING = frozenset({"li", "p"})
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
# The tags that the renderer writes, but for those of elements without an end.
_GENERATED_TAG = re.compile(r"<(/)?+(?!br|hr|img|input)[a-z]")
_CHANGES = {"": 1, "/": -1}


def check_depth(html: str) -> None:
    """Check how deeply well-formed HTML nests: Markdown without HTML becomes such.

    Raises:
        TooComplex: more than 1,000 elements would be open at once.
    """
    depths = accumulate(map(_CHANGES.__getitem__, _GENERATED_TAG.findall(html)))
    if max(depths, default=0) > MAX_DEPTH:
        raise TooComplex("The Markdown nests too deeply.")


def check_nesting(html: str, max_length: int) -> None:
    """Check that an HTML parser makes a bounded number of elements of HTML, and of a bounded length.

    Raises:
        TooComplex: too many elements would be open at once, or repeated.
        HtmlTooLong: what is repeated would be longer than `max_length`.
    """
    _Elements(html, max_length).check()


class _Element:
    __slots__ = ("attributes", "is_active", "length", "name")

    def __init__(self, name: str, attributes: str, *, is_active: bool) -> None:
        self.name = name
        self.attributes = attributes
        self.is_active = is_active
        # The number of characters of its tags.
        self.length = 2 * len(name) + len(attributes) + len("<></>")


class _Elements:
    """The elements that are open, the innermost last."""

    def __init__(self, html: str, max_length: int) -> None:
        self._html = html
        self._left = max_length
        self._looks = MAX_LOOKS
        self._copies = 0
        self._active = 0
        self._active_length = 0
        self._boundaries = 0
        self._open: list[_Element] = []

    def check(self) -> None:
        position = 0
        while position >= 0:
            position = self._check_from(position)

    def _check_from(self, position: int) -> int:
        """Check up to the end of the next text in which tags are none; return where that is, or -1 at the end."""
        # A tag that is not closed before the end is none; without it, looking for its end would take the square.
        end = self._html.rfind(">") + 1
        for match in _TAG.finditer(self._html, position, end):
            slash, name, attributes, cdata = match.groups()
            if name is None:
                if cdata and self._boundaries:
                    return self._assume_the_worst(match.start())
                continue
            name = _lower(name)
            if slash:
                self._close(name)
                continue
            self._start(name, attributes)
            if name in RAW:
                following = self._skip_text(name, match.end())
                return self._assume_the_worst(match.end()) if following < 0 else following
        return -1

    def _start(self, name: str, attributes: str) -> None:
        if len(attributes) > MAX_ATTRIBUTES and len(_ATTRIBUTES.findall(attributes)) > MAX_ATTRIBUTES:
            raise TooComplex(f"A tag has more than {MAX_ATTRIBUTES:,} attributes.")
        is_formatting = name in FORMATTING
        if self._active and not is_formatting:
            self._repeat(self._active, self._active_length)
        if name in VOID or (name in SELF_CLOSING and self._open and self._open[-1].name == name):
            return
        element = _Element(name, attributes.strip(), is_active=is_formatting)
        if is_formatting:
            if self._active:
                self._forget_equal(element)
            self._count(element, 1)
        self._open.append(element)
        self._boundaries += name in BOUNDARIES
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
        if element.name == "a":
            for other in equal:
                self._remove(other)
        for other in equal[MAX_EQUAL - 1 :]:
            self._deactivate(other)

    def _close(self, name: str) -> None:
        is_formatting = name in FORMATTING
        if self._active and not is_formatting:
            self._repeat(self._active, self._active_length)
        if self._open and self._open[-1].name == name:
            self._remove(self._open[-1])
        else:
            self._close_outer(name, is_formatting=is_formatting)

    def _close_outer(self, name: str, *, is_formatting: bool) -> None:
        blocks = copies = length = 0
        for element in self._in_scope(LIST_BOUNDARIES.get(name, frozenset())):
            if element.name == name:
                if not is_formatting or blocks <= MAX_BLOCKS_CROSSED:
                    self._repeat(copies, length)
                    self._remove(element)
                return
            if element.is_active:
                copies, length = copies + 1, length + element.length
            else:
                blocks += 1

    def _in_scope(self, boundaries: Collection[str] = ()) -> Iterator[_Element]:
        """Yield the open elements that a tag can reach, the innermost first; the last may be a boundary."""
        for element in reversed(self._open):
            self._looks -= 1
            if self._looks < 0:
                raise TooComplex("The HTML has too many tags that do not close what was opened last.")
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

    def _remove(self, element: _Element) -> None:
        self._deactivate(element)
        self._boundaries -= element.name in BOUNDARIES
        if self._open[-1] is element:
            self._open.pop()
        else:
            self._open.remove(element)

    def _deactivate(self, element: _Element) -> None:
        if element.is_active:
            element.is_active = False
            self._count(element, -1)

    def _count(self, element: _Element, sign: int) -> None:
        self._active += sign
        self._active_length += sign * element.length

    def _skip_text(self, name: str, start: int) -> int:
        """Return where the text of a raw element ends, or -1 where that depends on what is around it."""
        closing = re.compile(rf"</{name}(?=[{_SPACE}/>])", re.IGNORECASE | re.ASCII).search(self._html, start)
        end = len(self._html) if closing is None or name == "plaintext" else closing.start()
        text = self._html[start:end]
        is_nested_script = name == "script" and "<!--" in text
        is_ambiguous = "<" in text and self._boundaries > (name in BOUNDARIES)
        return -1 if is_nested_script or is_ambiguous else end

    def _assume_the_worst(self, start: int) -> int:
        """Take all tags of the rest for start tags, wherever they are; return -1, the end."""
        rest = self._html[start:]
        opened = self._active + len(_FORMATTING_TAG.findall(rest))
        if opened > MAX_OPEN_FORMATTING:
            raise TooComplex("The HTML has too many elements inside of one that cannot hold them.")
        self._repeat(opened * rest.count("<"), opened * len(rest))
        return -1


def _lower(name: str) -> str:
    # HTML folds ASCII alone: `K` is also what the Kelvin sign is in lower case.
    return name.lower() if name.isascii() else name
