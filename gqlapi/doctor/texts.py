"""Checks of the stored texts, of the search index over them, and of the trusted documents."""

from gqlapi.database.causes import cause_of
from gqlapi.database.search_index import count_differences
from gqlapi.database.unit import create_database
from gqlapi.doctor.finding import Finding, error, ok, plural, warning
from gqlapi.repositories.documents import DocumentRepository
from gqlapi.repositories.stored_texts import count_look_alikes
from gqlapi.settings import Settings


async def examine_texts(settings: Settings) -> list[Finding]:
    """Compare the search index with the rows, and count look-alike user names and trusted documents."""
    database = create_database(settings)
    unit = database.read()
    try:
        documents, _ = await DocumentRepository(unit).get_version()
        return [
            check_search(await count_differences(unit)),
            check_look_alikes(await count_look_alikes(unit)),
            check_documents(documents, settings),
        ]
    except Exception as failure:  # noqa: BLE001 - the other checks have their say all the same
        cause = cause_of(failure, settings.database_url)
        return [warning("D121", f"Not known: {cause.reason}.", cause.fix)]
    finally:
        await unit.close()
        await database.dispose()


def check_search(differences: dict[str, tuple[int, int]]) -> Finding:
    """Look at how many rows are not in the index, and how many documents have no row."""
    missing = [plural(count, kind) for kind, (count, _) in differences.items() if count]
    superfluous = sum(count for _, count in differences.values())
    if not missing and not superfluous:
        return ok("D121", "Posts, users and tags are in the index.")
    parts = [
        *([f"{', '.join(missing)} cannot be found"] if missing else []),
        *([f"{plural(superfluous, 'document')} without a row"] if superfluous else []),
    ]
    return warning("D121", f"{'; '.join(parts)}.", "Run `gqlapi search reindex`.")


def check_documents(count: int, settings: Settings) -> Finding:
    """Look at how many trusted documents there are for a server that runs nothing else."""
    if settings.documents == "trusted" and not count:
        found = "GQLAPI_DOCUMENTS=trusted runs trusted documents only, and there are none."
        return error("D123", found, "Add those of your clients with `gqlapi documents add`.")
    return ok("D123", f"{plural(count, 'trusted document')}; GQLAPI_DOCUMENTS={settings.documents}.")


def check_look_alikes(count: int) -> Finding:
    """Look at how many users have names from before look-alikes were refused."""
    if not count:
        return ok("D122", "No two user names look the same.")
    found = f"{plural(count, 'user')} with a name that looks like another one."
    return warning("D122", found, "List them with `gqlapi check-texts`; delete those that are not wanted.")
