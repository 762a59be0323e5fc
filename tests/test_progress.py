"""What the library shows while it works: a bar where a person watches, nothing elsewhere."""

from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TextIO

import numpy as np
import pytest
import torch
from rich.console import Console

import dnn_topology as dt
from dnn_topology import progress
from dnn_topology.progress import showing, silenced
from dnn_topology.settings import Resources
from dnn_topology.work.workers import work_through

SIGNALS = np.random.default_rng(0).normal(size=(30, 20)).astype(np.float32)
MODEL = torch.nn.Sequential(torch.nn.Linear(20, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
BATCHES = [torch.from_numpy(SIGNALS)]
STATES = {0: MODEL.state_dict(), 3: MODEL.state_dict()}
WORK: dict[str, tuple[Callable[..., Any], tuple[Any, ...], str]] = {
    "record": (dt.record, (MODEL, BATCHES), "recording inputs"),
    "functional_graph": (dt.functional_graph, (SIGNALS,), "correlations of 20 neurons"),
    "persistence": (dt.persistence, (dt.functional_graph(SIGNALS, max_epsilon=0.4),), "persistence of 20 nodes"),
    "measure": (dt.measure, (MODEL, BATCHES), "measuring"),
    "track": (dt.track, (MODEL, BATCHES, STATES), "measuring epochs"),
    "monitor": (
        lambda *args, **options: dt.TopologyMonitor(args[1], **options)(args[0], 0),
        (MODEL, BATCHES),
        "measuring",
    ),
}


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal that somebody watches, on which work is shown at once."""
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=200, color_system=None)
    monkeypatch.setattr(progress, "DELAY", 0)
    monkeypatch.setattr(progress, "_console", lambda: console)
    return shown


@pytest.mark.parametrize("name", WORK)
def test_work_is_shown_where_a_person_watches(name: str, screen: io.StringIO) -> None:
    function, arguments, words = WORK[name]
    function(*arguments)
    assert words in screen.getvalue()


@pytest.mark.parametrize("name", WORK)
def test_work_is_not_shown_where_it_is_not_wanted(name: str, screen: io.StringIO) -> None:
    function, arguments, _ = WORK[name]
    function(*arguments, progress=False)
    assert screen.getvalue() == ""


def test_what_is_done_within_a_measurement_is_a_note_on_its_bar(screen: io.StringIO) -> None:
    bars = []
    with showing("outside", total=2) as step:
        with showing("inside", total=10) as inner:
            inner(advance=4)
            bars.append(progress._around.get())
        step("done")
    (bar,) = bars
    assert bar is not None
    assert "inside 4/10" in screen.getvalue() or "outside" in screen.getvalue()
    assert screen.getvalue().count("\x1b[?25l") == 1  # one bar alone hides the cursor


def test_a_part_gives_its_number_of_steps_to_work_that_has_none(screen: io.StringIO) -> None:
    with showing("outside"), showing("inside", total=8) as inner:
        inner(advance=2)
        bar = progress._around.get()
        assert bar is not None
        assert bar._bar is not None
        (task,) = bar._bar.tasks
        assert (task.total, task.completed, task.description) == (8, 2, "outside")
    assert "outside" in screen.getvalue()


@pytest.mark.parametrize("level", [logging.WARNING, logging.CRITICAL])
def test_a_loggers_level_turns_it_off(level: int, screen: io.StringIO) -> None:
    before = progress.LOGGER.level
    logging.getLogger("dnn_topology").setLevel(level)
    try:
        dt.functional_graph(SIGNALS)
    finally:
        progress.LOGGER.setLevel(before)
    assert screen.getvalue() == ""


def test_what_is_over_soon_is_not_shown(screen: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELAY", 1e6)
    dt.functional_graph(SIGNALS)
    assert screen.getvalue() == ""


def test_what_takes_longer_is_shown_while_it_goes_on(screen: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELAY", 1e-3)
    begun = threading.Event()
    real = progress._Bar._show

    def show(bar: progress._Bar) -> None:
        real(bar)
        begun.set()

    monkeypatch.setattr(progress._Bar, "_show", show)
    with showing("long work"):
        assert begun.wait(60)
    assert "long work" in screen.getvalue()


def test_nothing_is_drawn_after_an_exception(screen: io.StringIO) -> None:
    with pytest.raises(ZeroDivisionError), showing("work"):
        raise ZeroDivisionError
    end = screen.getvalue()
    assert "work" in end
    assert progress._around.get() is None
    assert "\x1b[?25h" in end  # the cursor is back


def test_work_of_a_run_shows_nothing_of_its_own(screen: io.StringIO) -> None:
    def task(_: int) -> bool:
        dt.functional_graph(SIGNALS)
        return progress.is_silenced()

    assert [*work_through(task, [1], Resources())] == [(1, True)]
    assert screen.getvalue() == ""


def test_two_bars_at_once_are_one(screen: io.StringIO) -> None:
    from rich.progress import Progress

    console = progress._console()
    with Progress(console=console):  # the user's own
        dt.functional_graph(SIGNALS)
    assert progress._around.get() is None
    assert "correlations" not in screen.getvalue()


def test_nothing_is_shown_in_a_file_or_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "DELAY", 0)
    monkeypatch.setenv("FORCE_COLOR", "1")  # which makes rich take anything for a terminal
    dt.measure(MODEL, BATCHES)
    with silenced():
        dt.measure(MODEL, BATCHES)
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def terminal() -> Iterator[tuple[TextIO, list[bytes]]]:
    """A pseudo-terminal, and what was written to it."""
    pty = pytest.importorskip("pty")  # not on Windows
    ours, theirs = pty.openpty()
    seen: list[bytes] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            try:
                seen.append(os.read(ours, 1 << 16))
            except OSError:  # its other end is closed
                return

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    with open(theirs, "w") as stream:  # noqa: PTH123  # a descriptor
        yield stream, seen
    reader.join(60)
    over.set()
    os.close(ours)


def test_a_terminal_is_where_a_person_watches(
    terminal: tuple[TextIO, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, seen = terminal
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "DELAY", 0)
    monkeypatch.setenv("TERM", "xterm")
    dt.functional_graph(SIGNALS)
    print("end of the test", file=stream, flush=True)
    while b"end of the test" not in b"".join(seen):
        threading.Event().wait(0.001)
    assert b"correlations of 20 neurons" in b"".join(seen)


def test_the_first_look_for_a_terminal_leaves_pythons_random_numbers_as_they_were() -> None:
    code = """
import random
from dnn_topology import progress
state = random.getstate()
with progress.showing("work"):
    pass
assert random.getstate() == state
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_line_of_a_bar_covers_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook without ipywidgets writes a line over another and erases none."""
    shown = io.StringIO()
    monkeypatch.setattr(progress, "DELAY", 0)
    monkeypatch.setattr(progress, "_console", lambda: Console(file=shown, force_terminal=True, width=80))
    with showing("work", total=3) as step:
        for note in ("a" * 200, "b", ""):
            step(note)
    lines = [re.sub(r"\x1b\[[\d;?]*[a-zA-Z]|\n", "", line) for line in shown.getvalue().split("\r")]
    assert {len(line) for line in lines if line} == {80}
