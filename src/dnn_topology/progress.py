"""What is printed while work goes on, and tables."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd


@contextlib.contextmanager
def progress(what: str, *, total: int, done: int = 0) -> Iterator[Callable[[str], None]]:
    """Show how far some work is, on standard error: a bar on a terminal, plain lines elsewhere.

    Args:
        what: The work, in a word.
        total: Number of steps.
        done: Number of steps that were done before.

    Yields:
        A function to call after each step with what there is to say of it.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text: say(f"{what}: {text}")
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[note]}"), console=console) as bar:
        task = bar.add_task(what, total=total, completed=done, note="")
        yield lambda text: bar.update(task, advance=1, note=text)


@contextlib.contextmanager
def by_share(what: str) -> Iterator[Callable[[float], None]]:
    """Show how far some work is that knows its share, on standard error; nothing where there is no terminal.

    Args:
        what: The work, in a word.

    Yields:
        A function to call with the share that is done, in [0, 1].
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda share: None  # noqa: ARG005
        return
    with Progress(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share: bar.update(task, completed=share)


def say(text: str) -> None:
    """Print a line about the work, on standard error."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def answer(*lines: str | Path) -> None:
    """Print what was asked for, on standard output."""
    for line in lines:
        print(line, flush=True)  # noqa: T201


def print_table(table: pd.DataFrame, form: str = "text") -> None:
    """Print a table on standard output.

    Args:
        table: The table.
        form: "text" prints columns; "md", "latex" and "csv" as `table_text` says.
    """
    if form != "text":
        answer(table_text(table, form))
        return
    shown = Table(*map(str, table), box=None, pad_edge=False)
    for row in table.itertuples(index=False):
        shown.add_row(*(escape(str(cell)) for cell in row))  # "[fast]" is an extra, no markup
    console = Console()
    if not console.is_terminal:
        console.width = 200  # a file or a pipe has no width, and folded cells are hard to search
    console.print(shown)


# what LaTeX's usual fonts lack
IN_LATEX = {
    "ε": r"$\varepsilon$",
    "λ": r"$\lambda$",
    "μ": r"$\mu$",
    "β": r"$\beta$",
    "τ": r"$\tau$",
    "ρ": r"$\rho$",
    "±": r"$\pm$",
    "²": r"$^2$",
    "×": r"$\times$",
    "–": "--",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "∞": r"$\infty$",
}


def table_text(table: pd.DataFrame, form: str) -> str:
    """Return a table of text as it goes into a paper or another program.

    Args:
        table: The table; its cells are taken as they are.
        form: "md" is Markdown, "latex" a tabular for booktabs, "csv" comma-separated values.

    Example:
        >>> import pandas as pd
        >>> print(table_text(pd.DataFrame({"life (ε)": ["0.041 ± 0.002"]}), "md"))
        | life (ε)      |
        |:--------------|
        | 0.041 ± 0.002 |
    """
    cells = table.astype(str).rename(columns=str)
    if form == "csv":
        return cells.to_csv(index=False).rstrip()
    if form == "md":
        escaped = cells.map(lambda cell: cell.replace("|", "\\|"))
        return escaped.to_markdown(index=False, disable_numparse=True)
    text = cells.to_latex(index=False, escape=True, column_format="l" * len(cells.columns))
    for letter, command in IN_LATEX.items():
        text = text.replace(letter, command)
    return text.rstrip()


def markdown_table(table: pd.DataFrame) -> str:
    """Return a table as Markdown, names as code."""
    rows = [
        [" = ".join(f"`{name}`" for name in str(row[0]).split(" = ")), *map(str, row[1:])] for row in table.to_numpy()
    ]
    lines = [[*map(str, table)], ["---" for _ in table], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
