"""What is shown while work goes on: the library's bars where a person watches, the commands' bars and lines, tables.

The library shows nothing of work that takes less than `DELAY` seconds, nothing where nobody watches (a file, a pipe, a
test), and nothing where `progress=False` or the logger "dnn_topology", set above INFO, says so. A step inside another,
such as recording within a measurement, has no bar of its own: it is a note on the outer one.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnn_topology._table_forms import markdown_table, table_text

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.progress import Progress

DELAY = 2.0  # seconds that work takes before it is shown
IN_A_CELL = 76  # letters that a notebook's cell shows beside its list of files, in a narrow window
LOGGER = logging.getLogger("dnn_topology")
Step = Callable[..., None]


class _Bar:
    """A bar for some work, which appears once that has taken `DELAY` seconds.

    Args:
        console: Where it is drawn; None for nowhere.
        what: The work, in a few words.
        total: Number of steps, if that is known.
    """

    def __init__(self, console: Console | None, what: str, total: float | None) -> None:
        self.total, self._lock, self._shown = total, threading.Lock(), False
        self._bar: Progress | None = None if console is None else _bar(console)
        self._task = None if self._bar is None else self._bar.add_task(what, total=total, note="")
        self._timer = threading.Timer(DELAY, self._show)
        self._timer.daemon = True

    def __enter__(self) -> _Bar:
        if self._bar is not None:
            self._show() if DELAY <= 0 else self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            if self._bar is not None and self._shown:
                self._bar.stop()
            self._bar = None

    def _show(self) -> None:
        """Begin to draw, unless the work is over or something else is drawn on the same console."""
        from rich.errors import LiveError

        with self._lock:
            if self._bar is not None and not self._shown:
                with contextlib.suppress(LiveError):
                    self._bar.start()
                    self._shown = True

    def step(self, note: str = "", advance: float = 1) -> None:
        """Say that some steps are done."""
        self.update(advance=advance, note=note)

    def update(self, **changed: Any) -> None:
        """Change what the bar says."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, **changed)

    def inner(self, what: str, total: float | None) -> Step:
        """Return the steps of work within this: they are noted, and are those of this bar if it has no number yet."""
        done = 0.0
        self.update(note=what)
        if self.total is None and total is not None:
            self.update(total=total, completed=0)

        def step(note: str = "", advance: float = 1) -> None:
            nonlocal done
            done += advance
            if self.total is None and total is not None:
                self.update(completed=done, note=f"{what} {note}".strip())
            else:
                far = f" {done:g}/{total:g}" if total else ""
                self.update(note=f"{what}{far} {note}".strip())

        return step


_around: ContextVar[_Bar | None] = ContextVar("around", default=None)
_told_elsewhere: ContextVar[bool] = ContextVar("told_elsewhere", default=False)


@contextlib.contextmanager
def showing(what: str, *, total: float | None = None, enabled: bool = True) -> Iterator[Step]:
    """Show how far some work of the library is, where a person watches; nothing elsewhere.

    Args:
        what: The work, in a few words.
        total: Number of steps, if that is known.
        enabled: Whether to show it, and what is done within it, at all.

    Yields:
        A function to call after each step, with what there is to say of it and, by default 1, how many steps it was.

    Example:
        >>> with showing("counting", total=3) as step:  # prints nothing here: it is over at once
        ...     for number in range(3):
        ...         step(f"number {number}")
    """
    outer = _around.get()
    if outer is not None and enabled:
        yield outer.inner(what, total)
        return
    with _Bar(_watched() if enabled and outer is None else None, what, total) as bar, _within(bar):
        yield bar.step


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Show no bar of the library within, and warn of no long computation: a run or a command tells how far it is.

    Yields:
        Nothing.
    """
    token = _told_elsewhere.set(True)
    try:
        with _within(_Bar(None, "", None)):
            yield
    finally:
        _told_elsewhere.reset(token)


def is_silenced() -> bool:
    """Return whether a run or a command tells of what is done now, so that the library does not."""
    return _told_elsewhere.get()


@contextlib.contextmanager
def _within(bar: _Bar) -> Iterator[None]:
    """Make work in the block a part of a bar's."""
    token = _around.set(bar)
    try:
        yield
    finally:
        _around.reset(token)


def _watched() -> Console | None:
    """Return where a person watches: a terminal or a notebook; None if nobody does, or wants to."""
    if max(LOGGER.level, LOGGER.manager.disable) > logging.INFO:
        return None
    return _console()


def _console() -> Console | None:
    """Return the terminal or the notebook on which this process writes, or None."""
    state = random.getstate()
    from rich.console import Console  # rich draws a number when it is imported: the user's next ones stay as they were

    random.setstate(state)
    console = Console(stderr=True)
    if console.is_jupyter:
        if importlib.util.find_spec("ipywidgets"):
            return Console(stderr=True, width=IN_A_CELL)
        # A line of text under the cell; where it is written over, the codes of colours would count as letters.
        return Console(stderr=True, width=IN_A_CELL, force_jupyter=False, force_terminal=True, color_system=None)
    return console if sys.stderr is not None and sys.stderr.isatty() else None


def _bar(console: Console) -> Progress:
    """Return a bar that is gone when the work is done; a notebook without ipywidgets leaves its last line there.

    Every line is as wide as the console, so that what such a notebook writes over is gone.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.table import Column

    times = (TimeElapsedColumn(), TimeRemainingColumn())
    rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    note = TextColumn("{task.fields[note]}", markup=False, table_column=rest)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(20), *times, note)
    return Progress(*columns, console=console, transient=True, expand=True)


@contextlib.contextmanager
def progress(what: str, *, total: int, done: int = 0) -> Iterator[Callable[[str], None]]:
    """Show how far some work of a command is, on standard error: a bar on a terminal, plain lines elsewhere.

    Args:
        what: The work, in a word.
        total: Number of steps.
        done: Number of steps that were done before.

    Yields:
        A function to call after each step with what there is to say of it.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        with silenced():
            yield lambda text: say(f"{what}: {text}")
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with silenced(), Progress(*columns, TextColumn("{task.fields[note]}"), console=console) as bar:
        task = bar.add_task(what, total=total, completed=done, note="")
        yield lambda text: bar.update(task, advance=1, note=text)


@contextlib.contextmanager
def by_share(what: str) -> Iterator[Callable[[float], None]]:
    """Show how far some long work within a command is, which knows its share, where a person watches.

    Args:
        what: The work, in a word.

    Yields:
        A function to call with the share that is done, in [0, 1].
    """
    with _Bar(_console(), what, 1.0) as bar:
        yield lambda share: bar.update(completed=share)


def say(text: str) -> None:
    """Print a line about the work, on standard error."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def answer(*lines: str | Path) -> None:
    """Print what was asked for, on standard output."""
    for line in lines:
        print(line, flush=True)  # noqa: T201


def print_table(table: pd.DataFrame, form: str = "text") -> None:
    """Print a table on standard output; what is not defined is a dash.

    Args:
        table: The table.
        form: "text" prints columns; "md", "latex" and "csv" as `table_text` says; "names" is Markdown whose first
            column are names, as code.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if form != "text":
        answer(markdown_table(table) if form == "names" else table_text(table, form))
        return
    shown = Table(*map(str, table), box=None, pad_edge=False)
    for row in table.itertuples(index=False):
        shown.add_row(*(escape(as_text(cell)) for cell in row))  # "[fast]" is an extra, no markup
    console = Console()
    if not console.is_terminal:
        console.width = 200  # a file or a pipe has no width, and folded cells are hard to search
    console.print(shown)


def as_text(value: object) -> str:
    """Return a value as a table or a line shows it.

    Example:
        >>> as_text(float("nan")), as_text(0.5)
        ('–', '0.5')
    """
    return "–" if value is None or value != value else str(value)  # as only NaN does
