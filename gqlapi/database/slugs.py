"""The registries of slugs: which post or tag a slug belongs to, the current ones and the old ones.

Triggers keep them, so that the database refuses a slug of another row from every writer: a server of an earlier
version, a bulk load, an operator. A post that was never published releases its slug when it gets another one.
"""

from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa


class Registry(NamedTuple):
    """A table of slugs, and the table whose slugs they are; `released` is the condition for a slug that is not kept."""

    name: str
    table: str
    key: str
    released: str | None

    @property
    def constraint(self) -> str:
        """The constraint of the registry itself."""
        return f"uq_{self.name}_slug"

    @property
    def constraints(self) -> frozenset[str]:
        """The constraints that a slug of another row violates."""
        return frozenset({self.constraint, f"uq_{self.table}_slug"})


POST_SLUGS = Registry("post_slugs", "posts", "post_id", "OLD.slug_rule <> 'fixed'")
TAG_SLUGS = Registry("tag_slugs", "tags", "tag_id", None)
REGISTRIES = (POST_SLUGS, TAG_SLUGS)
# Violated by a slug that looked free, and was taken by another transaction at this moment.
CONSTRAINTS = POST_SLUGS.constraints | TAG_SLUGS.constraints


def create_triggers(dialect_name: str, registry: Registry) -> Iterator[str]:
    """Yield the statements that create the triggers; those of SQLite do nothing where there are triggers."""
    if dialect_name == "postgresql":
        yield _function(registry)
        call = f"FOR EACH ROW{{}} EXECUTE FUNCTION {registry.name}_register()"
        yield f"CREATE TRIGGER {registry.name}_insert AFTER INSERT ON {registry.table} {call.format('')}"
        changed = call.format(" WHEN (OLD.slug <> NEW.slug)")
        yield f"CREATE TRIGGER {registry.name}_update AFTER UPDATE OF slug ON {registry.table} {changed}"
        return
    create = "CREATE TRIGGER IF NOT EXISTS"
    yield f"{create} {registry.name}_insert AFTER INSERT ON {registry.table} BEGIN {_register(registry)}; END"
    released = "" if registry.released is None else f"{_release(registry, f' AND {registry.released}')}; "
    changed = f"AFTER UPDATE OF slug ON {registry.table} WHEN OLD.slug <> NEW.slug"
    yield f"{create} {registry.name}_update {changed} BEGIN {released}{_register(registry)}; END"


def drop_triggers(dialect_name: str, registry: Registry) -> Iterator[str]:
    """Yield the statements that drop the triggers."""
    of_table = f" ON {registry.table}" if dialect_name == "postgresql" else ""
    yield f"DROP TRIGGER {registry.name}_insert{of_table}"
    yield f"DROP TRIGGER {registry.name}_update{of_table}"
    if dialect_name == "postgresql":
        yield f"DROP FUNCTION {registry.name}_register()"


def create_on(connection: sa.Connection, registry: Registry) -> None:
    """Create the triggers of a registry, which exists."""
    for statement in create_triggers(connection.dialect.name, registry):
        connection.exec_driver_sql(statement)


def recreate_on_sqlite(connection: sa.Connection) -> None:
    """Create the triggers that went with a table which a revision has re-created."""
    found = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
    names = {*found.scalars()}
    for registry in REGISTRIES:
        if registry.name in names:
            create_on(connection, registry)


def _function(registry: Registry) -> str:
    released = ""
    if registry.released is not None:  # nested: in an INSERT there is no OLD
        released = f"IF TG_OP = 'UPDATE' THEN IF {registry.released} THEN {_release(registry)}; END IF; END IF; "
    body = f"BEGIN {released}{_register(registry)}; RETURN NULL; END"
    # With its owner's rights: during an upgrade, servers write whose role has none on the new table.
    options = "RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT"
    return f"CREATE FUNCTION {registry.name}_register() {options} AS $$ {body} $$"


def _release(registry: Registry, condition: str = "") -> str:
    return f"DELETE FROM {registry.name} WHERE slug = OLD.slug AND {registry.key} = OLD.id{condition}"  # noqa: S608 - our own names


def _register(registry: Registry) -> str:
    """A row may take one of its old slugs back."""
    own = f"SELECT 1 FROM {registry.name} WHERE slug = NEW.slug AND {registry.key} = NEW.id"  # noqa: S608 - our own names
    return f"INSERT INTO {registry.name} (slug, {registry.key}) SELECT NEW.slug, NEW.id WHERE NOT EXISTS ({own})"
