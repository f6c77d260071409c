"""How large an operation may be; one place for every transport."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The static limits of an operation, each refused before anything runs."""

    max_tokens: int = 2_000
    max_depth: int = 15
    max_fields: int = 5_000
    max_aliases: int = 30
    max_root_fields: int = 20
    max_directives: int = 50
    max_cost: int = 10_000
    operation_timeout_seconds: float = 10.0
