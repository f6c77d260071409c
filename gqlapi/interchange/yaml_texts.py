"""YAML in which every value is its text.

YAML 1.1 makes a number of the title `1.10`, a boolean of the tag `no` and a number of seconds of `1:20`.
"""

from typing import Any, ClassVar

import yaml

from gqlapi.interchange.unreadable import Unreadable, first_line

NULL, MERGE = "tag:yaml.org,2002:null", "tag:yaml.org,2002:merge"
STRUCTURES = tuple(f"tag:yaml.org,2002:{name}" for name in ("null", "seq", "map"))
TEXTS = tuple(f"tag:yaml.org,2002:{name}" for name in ("str", "bool", "int", "float", "timestamp"))
# A few lines of aliases can expand to more pairs than there is memory; no blog comes near these.
MAX_ALIASES = 100
MAX_MERGED_PAIRS = 1_000


class _TextLoader(yaml.SafeLoader):
    """Knows texts, null, lists and tables, and no other type."""

    yaml_implicit_resolvers: ClassVar = {  # type: ignore[misc] # the stubs take what belongs to the class for the instance's
        first: [(tag, pattern) for tag, pattern in resolvers if tag in {NULL, MERGE}]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    yaml_constructors: ClassVar = {
        **{tag: yaml.SafeLoader.yaml_constructors[tag] for tag in STRUCTURES},
        **dict.fromkeys(TEXTS, yaml.SafeLoader.construct_yaml_str),
        None: yaml.SafeLoader.construct_undefined,
    }
    _aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self._aliases += 1
            if self._aliases > MAX_ALIASES:
                raise yaml.YAMLError(f"more than {MAX_ALIASES} aliases")
        return super().compose_node(parent, index)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Refuse a name that a table has twice: https://yaml.org/spec/1.2.2/#3213-node-comparison."""
        node = super().compose_mapping_node(anchor)
        names: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in names:
                    raise yaml.YAMLError(f"a table has the name {key.value[:40]!r} twice")
                names.add(key.value)
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        own = len(node.value)
        super().flatten_mapping(node)
        if len(node.value) - own > MAX_MERGED_PAIRS:
            raise yaml.YAMLError(f"more than {MAX_MERGED_PAIRS} names merged into a table")


def load_yaml(text: str) -> Any:
    """Read YAML as texts, None, lists and tables; the time that it takes is bounded by its length.

    Raises:
        Unreadable: it is not YAML.
    """
    try:
        return yaml.load(text, Loader=_TextLoader)  # noqa: S506 - a SafeLoader with fewer types
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: \U with a code point beyond Unicode
        raise Unreadable(f"its YAML cannot be read: {first_line(error)}") from None


class _TextDumper(yaml.SafeDumper):
    """Writes what the loader reads back to the letter."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Only in double quotes are line breaks written as escapes: elsewhere U+0085 is read back as another one.
    style = '"' if text and text.splitlines() != [text] else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_TextDumper.add_representer(str, _represent_text)


def dump_yaml(content: Any) -> str:
    """Write YAML, one line for each value."""
    return yaml.dump(content, Dumper=_TextDumper, allow_unicode=True, sort_keys=False, width=2**31)
