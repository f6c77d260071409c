"""Progress of long commands: a bar on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

Report = Callable[[str, int, int], None]


@contextmanager
def progress(console: Console) -> Iterator[Report]:
    """Show the steps of a command; the block calls `report(step, done, total)`."""
    if not console.is_terminal:
        yield _plain(console)
        return
    columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done)

        yield report


def _plain(console: Console) -> Report:
    """Print a line for each step that ends: a log wants no more."""

    def report(step: str, done: int, total: int) -> None:
        if done == total:
            console.print(f"{step}: {total}", highlight=False)

    return report
