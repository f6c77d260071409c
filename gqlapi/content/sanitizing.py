"""What may be in the HTML of a post. Everything that could run a script is removed."""

import re

import nh3

# Names of a user in a page's global scope could replace those of its scripts:
# https://html.spec.whatwg.org/multipage/nav-history-apis.html#named-access-on-the-window-object
ID_PREFIX = "user-content-"
# Put by the renderer, and taken for granted by stylesheets.
CLASSES = {
    "a": {"footnote-backref"},
    "div": {"footnote-definition"},
    "section": {"footnotes"},
    "sup": {"footnote-reference", "footnote-definition-label"},
}
LANGUAGE_PREFIX = "language-"

_CLEANER = nh3.Cleaner(
    tags=nh3.ALLOWED_TAGS | {"input", "section"},
    attributes={**nh3.ALLOWED_ATTRIBUTES, "*": {"id", "lang", "title"}, "code": {"class"}, "input": {"checked"}},
    allowed_classes=CLASSES,
    set_tag_attribute_values={"img": {"loading": "lazy"}, "input": {"disabled": ""}},
    id_prefix=ID_PREFIX,
)
# In sanitised HTML, attributes are quoted, and neither a quote nor an angle bracket occurs in a value.
_CODE = re.compile(r"<code( [^>]+)>")
_CLASS = re.compile(r' class="([^"]*)"')
_EMPTY_CLASS = re.compile(r'(<(?:a|div|section|sup)(?: (?!class=)[^ "=>]+="[^"]*")*+) class=""')
_LOCAL_LINK = re.compile(rf'(<a(?: (?!href=)[^ "=>]+="[^"]*")*+ href="#)(?!{ID_PREFIX}|top"|")')


def sanitize(html: str) -> str:
    """Sanitise HTML; takes memory in proportion to the elements that `check_nesting` bounds, and no interpreter's lock.

    Ids begin with `user-content-`, and so do links to them. Of the classes of code, those of languages stay.
    """
    # Any input becomes the checkbox of a task.
    clean = _CLEANER.clean(html).replace("<input ", '<input type="checkbox" ')
    clean = _CODE.sub(_keep_language, clean)
    return _LOCAL_LINK.sub(rf"\g<1>{ID_PREFIX}", _EMPTY_CLASS.sub(r"\1", clean))


def _keep_language(tag: re.Match[str]) -> str:
    return f"<code{_CLASS.sub(_language, tag[1])}>"


def _language(attribute: re.Match[str]) -> str:
    names = [name for name in attribute[1].split() if name.startswith(LANGUAGE_PREFIX)]
    return f' class="{" ".join(names)}"' if names else ""
