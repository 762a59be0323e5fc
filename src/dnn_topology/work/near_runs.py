"""Where the run is that was meant, when what was named is no folder of a run."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from dnn_topology._checks import DnnTopologyError
from dnn_topology.store import readable_errors
from dnn_topology.work.stamps import SETTINGS

CHECKPOINTS = "checkpoints"  # of its weights, which tells the folder of a run from those of results within it
USUAL = (
    ": name the folder trial0 that `dnn-topology run` or `train` left, such as "
    "results_dnn_topology/lenet_mnist-5k/trial0"
)
LEVELS = 3  # of folders that lie in that of a run, such as detection/epoch2/


def is_run(folder: Path) -> bool:
    """Return whether a folder says how something was made, and is not one of results in the folder of a run.

    Raises:
        DnnTopologyError: No folder has such a name.
    """
    with readable_errors("read", folder):
        stamped = (folder / SETTINGS).exists()
    return stamped and (_has_run(folder) or run_around(folder) is None)


def run_around(place: Path) -> Path | None:
    """Return the folder of the run that a file or a folder of results lies in, or None."""
    above = place.resolve().parents[:LEVELS]
    holding = [number for number, folder in enumerate(above) if _has_run(folder)]
    if not holding:
        return None
    named = place if len(place.parts) > holding[0] + 1 and ".." not in place.parts else place.resolve()
    return named.parents[holding[0]]


def check_table(path: Path) -> None:
    """Check that what is named for the table of a study is no folder.

    Raises:
        DnnTopologyError: It is one; the message names the tables that lie near.
    """
    if path.is_dir():
        tables = sorted({*path.glob("study.csv"), *path.glob("*/study.csv"), *path.parent.glob("study.csv")})
        named = " or ".join(map(str, tables[:3])) or "the study.csv of a study"
        raise DnnTopologyError(f"{path} is a folder and no table: name {named}")


def near_runs(folder: Path) -> str:
    """Return the end of a message that helps when a run is not where it is looked for."""
    if not folder.parent.is_dir():
        return _near_names(folder)
    if folder.exists() and (around := run_around(folder)) is not None:
        return f", but lies in that of one: name {around}"
    inside = sorted(path.parent for path in (*folder.glob(f"*/{SETTINGS}"), *folder.glob(f"*/*/{SETTINGS}")))
    if runs := [path for path in inside if _has_run(path)]:
        return f": it holds {_some(runs)}; name one of them"
    beside = sorted(path.parent for path in folder.parent.glob(f"*/{SETTINGS}") if _has_run(path.parent))
    if beside:
        return f": beside it there is {_some(beside)}; name one of them"
    return USUAL


def _near_names(folder: Path) -> str:
    """Return the end of a message about a run of whose network and data there is nothing."""
    siblings = folder.parent.parent
    if siblings.is_dir():
        names = [path.parent.parent.name for path in siblings.glob(f"*/trial*/{SETTINGS}")]
        close = difflib.get_close_matches(folder.parent.name, dict.fromkeys(names), n=3, cutoff=0.5)
        if close:
            return f" (did you mean {' or '.join(str(siblings / name / folder.name) for name in close)}?)"
    return USUAL


def _has_run(folder: Path) -> bool:
    """Return whether a folder is that of a run which has weights."""
    return (folder / SETTINGS).exists() and (folder / CHECKPOINTS).is_dir()


def _some(folders: Sequence[Path]) -> str:
    """Return the first of some folders as a message lists them."""
    return f"{', '.join(map(str, folders[:3]))}{', …' if len(folders) > 3 else ''}"
