"""Search objects, which live outside the ORM's metadata, and the query languages of both databases.

The words are made in Python and handed over as they are: PostgreSQL's parser takes `example.com` for one word and
drops others by its dictionaries, SQLite's tokenizers know neither; this way both find the same rows.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, repeat
from operator import add
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY, TSVECTOR

from gqlapi.database.dialect import bind_array
from gqlapi.words import begins_no_word_part, words

# Words of a title weigh more than those of a body.
TITLE_WEIGHT, BODY_WEIGHT = 10.0, 1.0
# Of the labels D, C, B and A: words of a body have D, those of a title A.
POSTGRESQL_WEIGHTS = [BODY_WEIGHT / TITLE_WEIGHT, 0.2, 0.4, 1.0]
# ts_rank's number for "divided by 1 + the logarithm of the number of words".
DIVIDE_BY_LOGARITHM_OF_LENGTH = 1
# On SQLite, hits are counted in the first 10,000 characters of a body, and in a part of these if there are several
# terms: measured for 1,000 bodies of 100,000 characters, 0.2 seconds for one term, 0.8 for twenty (bm25: 3).
SCORED_LENGTH, MIN_SCORED_LENGTH = 10_000, 1_000
# On SQLite, a score is divided by 1 for an empty body, by 1.5 for one of this length, and by 2 at most.
MEDIUM_LENGTH = 2_000.0
# A phrase never runs from the title into the body.
GAP = 8
MAX_POSITION = 16_383
MAX_DOCUMENT_LENGTH = 200_000
# A tsvector of PostgreSQL has at most 1,048,575 bytes: those of the words, and up to six for each to find it by.
MAX_INDEX_BYTES, WORD_OVERHEAD = 1_000_000, 6
# Folding makes up to 18 characters of one; so many at once take a few milliseconds.
SLICE_LENGTH = 2_000

DDL = {
    "postgresql": (
        """
        CREATE TABLE search_documents (
            node_id UUID PRIMARY KEY,
            kind VARCHAR(16) NOT NULL,
            vector TSVECTOR NOT NULL
        )
        """,
        "CREATE INDEX search_documents_vector ON search_documents USING gin (vector)",
    ),
    "sqlite": (
        # FTS5 rows are named by an integer, which VACUUM must not renumber, so we have our own table.
        """
        CREATE TABLE search_documents (
            id INTEGER PRIMARY KEY,
            node_id CHAR(32) NOT NULL UNIQUE,
            kind VARCHAR(16) NOT NULL
        )
        """,
        # The words come prepared: this tokenizer splits at spaces and leaves all else.
        "CREATE VIRTUAL TABLE search_words USING fts5(title, body, tokenize='ascii', prefix='2 3')",
    ),
}
# PostgreSQL builds indexes at once faster than row by row. The second one, of a later migration, has the titles.
CREATE_INDEXES = (
    DDL["postgresql"][1],
    "CREATE INDEX search_documents_title ON search_documents USING gin (ts_filter(vector, '{a}'))",
)
DROP_INDEXES = ("DROP INDEX search_documents_vector", "DROP INDEX search_documents_title")
DROP_DDL = {
    "postgresql": ("DROP TABLE search_documents",),
    "sqlite": ("DROP TABLE search_words", "DROP TABLE search_documents"),
}

_metadata = sa.MetaData()
DOCUMENTS = sa.Table(
    "search_documents",
    _metadata,
    sa.Column("id", sa.Integer),  # SQLite only
    sa.Column("node_id", sa.Uuid),
    sa.Column("kind", sa.String(16)),
    sa.Column("vector", TSVECTOR().with_variant(sa.Text(), "sqlite")),  # PostgreSQL only
)
WORDS = sa.Table(
    "search_words",
    _metadata,
    sa.Column("rowid", sa.Integer),
    sa.Column("title", sa.Text),
    sa.Column("body", sa.Text),
    sa.Column("search_words", sa.Text),  # FTS5's name for the whole row, which MATCH takes
)
# The parameters of a search; SQLite counts what is found by the needles, in the beginning of a body.
QUERY = sa.bindparam("query", type_=sa.Text())
_TITLE_QUERY = sa.bindparam("title_query", type_=sa.Text())
_WANTED_LENGTH = sa.bindparam("wanted_length", type_=sa.Integer())
_NEEDLES = sa.bindparam("needles", type_=sa.Text())
_SCORED_LENGTH = sa.bindparam("scored_length", type_=sa.Integer())


@dataclass(frozen=True, slots=True)
class Term:
    """One condition of a search: the words in a row; the last may be the beginning of one; or they must be absent."""

    words: tuple[str, ...]
    is_prefix: bool = False
    is_excluded: bool = False


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """Terms that must all hold, at least one of them without exclusion."""

    terms: tuple[Term, ...]

    @property
    def word_count(self) -> int:
        """How many words are looked up."""
        return sum(len(term.words) for term in self.terms)

    def written_for(self, dialect_name: str) -> str:
        """Write the query for a database."""
        return self.to_tsquery() if dialect_name == "postgresql" else self.to_fts5()

    def to_tsquery(self) -> str:
        """Write the query for PostgreSQL."""
        parts = []
        for term in self.terms:
            quoted = [f"'{word}'" for word in term.words]
            quoted[-1] += ":*" if term.is_prefix else ""
            parts.append(f"{'!' if term.is_excluded else ''}({' <-> '.join(quoted)})")
        return " & ".join(parts)

    def to_fts5(self, column: str | None = None) -> str:
        """Write the query for SQLite, for one column or for all."""
        wanted = " AND ".join(_fts5_term(term) for term in self.terms if not term.is_excluded)
        excluded = "".join(f" NOT {_fts5_term(term)}" for term in self.terms if term.is_excluded)
        text = f"({wanted}){excluded}"
        return text if column is None else f"{{{column}}} : ({text})"


def _fts5_term(term: Term) -> str:
    return f'"{" ".join(term.words)}"' + ("*" if term.is_prefix else "")


class PreparedText:
    """The words of a text, ready for the index; may be shared by all documents that have the same text.

    What lies beyond its first 200,000 characters cannot be found, nor what lies beyond a megabyte of folded words.
    """

    def __init__(self, text: str, checkpoint: Callable[[], None] = lambda: None) -> None:
        """Prepare a text; the checkpoint is called each few milliseconds."""
        # Joined, because each word by itself would take a hundred bytes.
        self._parts: list[str] = []
        self._left = MAX_INDEX_BYTES
        for part in _slices(text):
            checkpoint()
            if not self._take(words(part)):
                break

    @property
    def words(self) -> list[str]:
        """The folded words, in their order."""
        return " ".join(self._parts).split()

    @classmethod
    async def in_turns(cls, text: str) -> "PreparedText":
        """Prepare a text in the event loop, with other tasks between any few milliseconds of it."""
        prepared = cls("")
        for part in _slices(text):
            if not prepared._take(words(part)):
                break
            await asyncio.sleep(0)
        return prepared

    def _take(self, found: list[str]) -> bool:
        """Add words, and return whether there is room for more."""
        size = _size(found)
        if size > self._left:
            found = [*_fitting(found, self._left)]
        self._parts.append(" ".join(found))
        self._left -= size
        return self._left > 0

    def lexemes(self, start: int, weight: str) -> str:
        """Write the words for PostgreSQL, each at its position from `start`, with its weight.

        All that follow are at the last position, each word once: a vector has no position twice.
        """
        if not (found := self.words):
            return ""
        places, first = _PLACES[weight], min(start, MAX_POSITION)
        with_places, others = found[: MAX_POSITION - first], dict.fromkeys(found[MAX_POSITION - first :])
        ends = chain(islice(places, first, None), repeat(places[-1]))
        return "'" + " '".join(map(add, chain(with_places, others), ends))


def _slices(text: str) -> Iterator[str]:
    """Cut the part of a text that is indexed between two words; a longer word is cut as well."""
    start, length = 0, min(len(text), MAX_DOCUMENT_LENGTH)
    while start < length:
        end = min(start + SLICE_LENGTH, length)
        if end < length:
            end = next((i for i in range(end, start, -1) if begins_no_word_part(text[i])), end)
        yield text[start:end]
        start = end


def _size(found: Collection[str]) -> int:
    return len("".join(found).encode()) + WORD_OVERHEAD * len(found)


def _fitting(found: Iterable[str], room: int) -> Iterator[str]:
    for word in found:
        room -= _size([word])
        if room < 0:
            return
        yield word


# The end of a lexeme, by its position.
_PLACES = {weight: [f"':{position}{weight}" for position in range(MAX_POSITION + 1)] for weight in ("A", "")}


@dataclass(frozen=True, slots=True)
class Indexed:
    """A document prepared for the index."""

    title: PreparedText
    body: PreparedText

    @classmethod
    def of(cls, title: str, body: str) -> "Indexed":
        """Prepare a document."""
        return cls(PreparedText(title), PreparedText(body))

    def to_tsvector(self) -> str:
        """Write the document for PostgreSQL."""
        return f"{self.title.lexemes(1, 'A')} {self.body.lexemes(len(self.title.words) + GAP, '')}"


def matches(dialect_name: str, query: sa.ColumnElement[str] = QUERY) -> sa.ColumnElement[bool]:
    """Condition for documents that the query finds; SQLite needs `from_documents`, too."""
    if dialect_name == "postgresql":
        return DOCUMENTS.c.vector.bool_op("@@")(sa.cast(query, TSQUERY))
    return WORDS.c.search_words.bool_op("MATCH")(query)


def matches_title(dialect_name: str) -> sa.ColumnElement[bool]:
    """Condition for documents that the query finds in their titles alone; SQLite needs `from_documents`, too."""
    if dialect_name == "postgresql":
        titles = sa.func.ts_filter(DOCUMENTS.c.vector, sa.literal_column("'{a}'"))
        return titles.bool_op("@@")(sa.cast(QUERY, TSQUERY))
    return WORDS.c.search_words.bool_op("MATCH")(_TITLE_QUERY)


def title_score(title: sa.ColumnElement[str]) -> sa.ColumnElement[float]:
    """Return the score of a row whose title has all words: 1, and the part of the title that the words are.

    It is more than any `score`, and takes no reading of a text.
    """
    return sa.literal_column("1.0") + sa.type_coerce(_WANTED_LENGTH, sa.Integer) / sa.cast(
        sa.case((sa.func.length(title) > _WANTED_LENGTH, sa.func.length(title)), else_=_WANTED_LENGTH), sa.Double
    )


def from_documents(dialect_name: str) -> sa.FromClause:
    """Return the relation that `matches` and `score` read."""
    return DOCUMENTS if dialect_name == "postgresql" else DOCUMENTS.join(WORDS, WORDS.c.rowid == DOCUMENTS.c.id)


def found_ids(dialect_name: str, query: SearchQuery, kind: str) -> sa.Select[tuple[UUID]]:
    """Select the ids of one kind that a search finds, regardless of visibility."""
    return (
        sa.select(DOCUMENTS.c.node_id)
        .select_from(from_documents(dialect_name))
        .where(matches(dialect_name, sa.literal(query.written_for(dialect_name), sa.Text)), DOCUMENTS.c.kind == kind)
    )


def search_values(dialect_name: str, query: SearchQuery) -> dict[str, Any]:
    """Return the values of the parameters of `matches` and `score`."""
    wanted = [term for term in query.terms if not term.is_excluded]
    values: dict[str, Any] = {
        QUERY.key: query.written_for(dialect_name),
        _WANTED_LENGTH.key: len(" ".join(word for term in wanted for word in term.words)),
    }
    if dialect_name == "postgresql":
        return values
    values[_TITLE_QUERY.key] = query.to_fts5(column="title")
    needles = [f" {'  '.join(term.words)}{'' if term.is_prefix else ' '}" for term in wanted]
    scored_length = max(MIN_SCORED_LENGTH, SCORED_LENGTH // len(wanted))
    return {**values, _NEEDLES.key: bind_array(dialect_name, needles), _SCORED_LENGTH.key: scored_length}


def score(dialect_name: str) -> sa.ColumnElement[float]:
    """Return the score of a row of `from_documents`, below 1; scores of two databases do not compare.

    A word in the title counts more than any number of hits in the body, each further hit counts less, and the same hits
    count more in a short text. The score depends on the row and the search only: FTS5's bm25 compares a word with all
    documents, so its scores reveal the words of hidden ones.
    """
    if dialect_name == "postgresql":
        weights = sa.cast(POSTGRESQL_WEIGHTS, ARRAY(sa.REAL))
        rank = sa.func.ts_rank(weights, DOCUMENTS.c.vector, sa.cast(QUERY, TSQUERY), DIVIDE_BY_LOGARITHM_OF_LENGTH)
        return sa.cast(rank, sa.Double)
    return _below_one(_sqlite_score())


def _below_one(score: sa.ColumnElement[float]) -> sa.ColumnElement[float]:
    return sa.type_coerce(1.0 - 1.0 / (1.0 + score), sa.Double)


def _sqlite_score() -> sa.ColumnElement[float]:
    needles = sa.func.json_each(_NEEDLES).table_valued(sa.column("value", sa.Text), name="needles")
    title, body = _spaced(WORDS.c.title), _spaced(sa.func.substr(WORDS.c.body, 1, _SCORED_LENGTH))
    # Each further hit counts less: n hits weigh 1 - 1 / (1 + n) of the most.
    weights = (
        most * (1.0 - 1.0 / (1.0 + _count(text, needles.c.value)))
        for most, text in ((TITLE_WEIGHT, title), (BODY_WEIGHT, body))
    )
    weight = sa.select(sa.func.sum(sum(weights, start=sa.literal_column("0")))).select_from(needles).scalar_subquery()
    length = sa.func.length(WORDS.c.body)
    return sa.type_coerce(weight / (1.0 + length / (length + MEDIUM_LENGTH)), sa.Double)


def _spaced(text: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """Return the text with two spaces between words, so that `_count` counts equal neighbours separately."""
    return " " + sa.func.replace(text, " ", "  ") + " "


def _count(text: sa.ColumnElement[str], needle: sa.ColumnElement[str]) -> sa.ColumnElement[int]:
    """Count a word or a phrase in a spaced text, by how much shorter the text is without it."""
    rest = sa.func.length(sa.func.replace(text, needle, ""))
    return (sa.func.length(text) - rest) // sa.func.length(needle, type_=sa.Integer)
