"""The texts of a seeded blog: a pool that is written and rendered once, however many posts there are."""

from dataclasses import dataclass
from random import Random

from gqlapi.content import RenderedContent, render

TOPICS = (
    "caching", "queues", "indexes", "migrations", "testing", "tracing", "pagination", "schemas", "deployments",
    "backups", "typography", "accessibility", "forms", "images", "search", "translation", "privacy", "profiling",
    "retries", "timeouts", "naming", "reviews", "onboarding", "estimates", "documentation",
)  # fmt: skip
QUALIFIERS = (
    "basics", "at scale", "in anger", "for teams", "history", "myths", "costs", "tools", "patterns", "failures",
    "questions", "habits", "recipes", "stories", "numbers", "checklists", "interviews", "experiments", "drafts",
    "security", "performance", "culture", "design", "automation", "standards", "research", "ethics", "debugging",
    "planning", "metrics", "operations", "education", "hiring", "budgets", "travel", "tutorials", "reading", "opinion",
    "news",
)  # fmt: skip
NAMES = (
    "Ada", "Bela", "Chen", "Dana", "Emre", "Farah", "Goran", "Hana", "Ines", "Jomo", "Kaya", "Lior", "Mina", "Noor",
    "Otto", "Pia", "Quinn", "Rafa", "Suki", "Tove",
)  # fmt: skip
SURNAMES = (
    "Okafor", "Lindqvist", "Moreau", "Tanaka", "Silva", "Novak", "Haddad", "Kowalska", "Rossi", "Ito", "Mensah",
    "Petrov", "García", "Yildiz", "O'Neill", "Nguyen", "Sørensen",
)  # fmt: skip
OPENINGS = (
    "What we learned about", "A field guide to", "Rethinking", "Small steps in", "The quiet cost of", "Notes on",
    "Ten years of", "An argument about", "The trouble with", "In praise of",
)  # fmt: skip
ENDINGS = ("at scale", "for small teams", "after a bad week", "in practice", "without drama", "from scratch", "again")
SENTENCES = (
    "The first version worked, and that was the problem.",
    "Nobody had measured it, so everybody had an opinion.",
    "We wrote down what we expected before we looked.",
    "Half of the time went into a case that never happens.",
    "A short list on the wall did more than the long one in the wiki.",
    "The numbers moved in the right direction, slowly and then at once.",
    "Readers noticed the change before the dashboards did.",
    "It took three attempts, and the second one was deleted on a Friday.",
    "Somebody asked why, and the meeting ended early.",
    "The old way had one advantage: people knew where it hurt.",
    "We kept the name and replaced everything behind it.",
    "There is a `--dry-run` for that, and it tells the truth.",
    "Two of the five assumptions survived the week.",
    "The graph looks dramatic because its axis does not start at zero.",
    "Most of it is waiting, and most of the waiting is polite.",
    "A customer in another time zone found the edge we had drawn.",
)
POOL_SIZE = 200


@dataclass(frozen=True, slots=True)
class PoolText:
    """A text of the pool, rendered."""

    topic: str
    markdown: str
    content: RenderedContent


def make_pool(random: Random, size: int = POOL_SIZE) -> list[PoolText]:
    """Write and render the texts."""
    return [_make_text(random, TOPICS[number % len(TOPICS)]) for number in range(size)]


def make_title(random: Random, topic: str) -> str:
    """Make a title for a text about `topic`."""
    return f"{random.choice(OPENINGS)} {topic} {random.choice(ENDINGS)}"


def make_tag_name(number: int) -> str:
    """Return the name of a tag: topics first, then topics with a qualifier, then with a number."""
    round_, index = divmod(number, len(TOPICS))
    if round_ == 0:
        return TOPICS[index].capitalize()
    qualifier = QUALIFIERS[(round_ - 1) % len(QUALIFIERS)]
    lap = (round_ - 1) // len(QUALIFIERS)
    return f"{TOPICS[index].capitalize()} {qualifier}{f' {lap + 1}' if lap else ''}"


def _make_text(random: Random, topic: str) -> PoolText:
    first, *rest = (" ".join(random.sample(SENTENCES, 4)) for _ in range(random.randint(2, 5)))
    parts = [f"A few words about **{topic}**.", first, f"## Why {topic}", *rest]
    if random.random() < 0.5:  # noqa: PLR2004 - every second one
        parts.append(f"- measure {topic}\n- write it down\n- tell somebody")
    markdown = "\n\n".join(parts)
    return PoolText(topic, markdown, render(markdown))
