"""The page itself: contents into the template, the file in one step."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.report.contents import Contents, together
from dnn_topology.report.tracing import SHOWN
from dnn_topology.runs.measurements import find_measurement
from dnn_topology.runs.run import Run
from dnn_topology.settings import Essential, RunMeasureSettings, TraceSettings
from dnn_topology.show.svg import epoch_colours

if TYPE_CHECKING:
    from dnn_topology.runs.measurements import RunMeasurement

REPORT = "report.html"


def write_report(
    measurements: Sequence[RunMeasurement],
    out: Path | None = None,
    *,
    trace: TraceSettings | None = None,
    graphs: Sequence[str] = (),
    say: Callable[[str], None] | None = None,
) -> Path:
    """Write one page about what was measured of one run or several.

    It is a single HTML file that asks for nothing outside it: pictures are SVG and PNG inside, and a script of a few
    lines only lights what is there. The same files give the same bytes.

    Args:
        measurements: What was measured; each has its section, and several a table above them.
        out: The file; None for report.html beside what was measured (report_part3.html of a graph that is named), or
            here if that is several.
        trace: Which cavities are traced to their neurons; None for the usual. Which are so long-lived that they count
            is said by each measurement.
        graphs: Which of several graphs of each epoch are shown, by name (part0, sample0, layer0, draw1, …), each in a
            section of its own; none for the first.
        say: Called with what is being done.

    Returns:
        The path of the page.

    Raises:
        DnnTopologyError: There is no measurement, one has no diagrams or no graph of such a name, `trace` asks for
            another dimension than 1 or 2, or a file is damaged or cannot be written.
    """
    if not measurements:
        raise DnnTopologyError("measurements must be at least one, found none: name the folder of a run")
    name = REPORT if not graphs else f"report_{'graphs' if len(graphs) > 1 else graphs[0] or 'all'}.html"
    out = out or (Path(name) if len(measurements) > 1 else measurements[0].folder / name)
    chosen = trace or TraceSettings()
    if chosen.dim not in {1, 2}:
        raise DnnTopologyError(f"dim must be 1 (loops) or 2 (voids), found {chosen.dim}: others are not traced")
    shown: Sequence[str | None] = list(dict.fromkeys(graphs)) or [None]
    contents = []
    for place, (run, graph) in enumerate(itertools.product(range(len(measurements)), shown)):
        words = [f"run {run + 1}"] * (len(measurements) > 1) + [f"graph {graph or 'without a name'}"] * (len(shown) > 1)
        made = Contents(measurements[run], f"r{place}", ", ".join(words), chosen, graph, say or (lambda _: None))
        contents.append(made)
    store.write_bytes(out, html(contents, len(measurements)).encode())
    return out


def open_measurements(
    folders: Sequence[Path],
    *,
    max_epsilon: float | None = None,
    name: str | None = None,
    min_persistence: float = RunMeasureSettings.min_persistence,
    essential: Essential = "count",
    data_dir: Path | None = None,
    device: str = "cpu",
) -> list[RunMeasurement]:
    """Return what was measured of the runs in some folders.

    Args:
        folders: The folders of runs.
        max_epsilon: Up to which scale; None for 0.3, or the only one that there is.
        name: Which of several measurements up to that scale: the name of its folder.
        min_persistence: Only cavities that live longer than this (ε) count.
        essential: Cavities alive at the end: "count", "drop", or "clip" them there.
        data_dir: The folder of downloaded data sets; None for the user's cache folder.
        device: Where to record.

    Returns:
        One measurement per folder.

    Raises:
        DnnTopologyError: There is no folder; one is no folder of a run, has nothing measured, or was made by a newer
            version.
    """
    if not folders:
        raise DnnTopologyError(
            "a page needs a run, found none: name the folder trial0 that `dnn-topology run` left, such as "
            "results_dnn_topology/lenet_mnist-5k/trial0"
        )
    measurements = []
    for folder in folders:
        above = folder.absolute().parent
        if folder.name.startswith("eps") and (above / "checkpoints").is_dir():
            raise DnnTopologyError(
                f"{folder} is what was measured of a run, not its folder: name {folder.parent}, with "
                f"measurement={folder.name} if it has several"
            )
        run = Run.open(folder, data_dir=data_dir, device=device)
        there = find_measurement(run, max_epsilon=max_epsilon, name=name)
        counted = replace(there.settings, min_persistence=min_persistence, essential=essential)
        measurements.append(replace(there, settings=counted))
    return measurements


def html(contents: Sequence[Contents], n_runs: int) -> str:
    """Return the page about so many runs, whose parts, one per graph shown, are these."""
    script = _file("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    most = max(len(contents), *(len(one.shown) for one in contents))  # colours: of epochs, and of runs
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            runs=contents,
            n_runs=n_runs,
            heading=f"{n_runs} runs" if n_runs > 1 else f"{contents[0].title}: {len(contents)} graphs",
            together=together(contents, most) if len(contents) > 1 else [],
            style=Markup(_file("page.css")),  # noqa: S704  # our own file
            script=Markup(script),  # noqa: S704  # our own file
            script_digest=digest,
            shown_inputs=SHOWN,
            light=epoch_colours(most, dark=False),
            dark=epoch_colours(most, dark=True),
        )
    )


@cache
def _environment() -> Environment:
    """Return what reads templates: everything that they are given is escaped, unless it is SVG of ours."""
    environment = Environment(
        loader=PackageLoader("dnn_topology.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["svg"] = Markup
    environment.filters["number"] = _number
    return environment


def _file(name: str) -> str:
    """Return a file of the page's folder."""
    return (resources.files("dnn_topology.report") / "page" / name).read_text("utf-8")


def _number(value: float | int | None, digits: int = 3) -> str:
    """Return a number as a table shows it; – for what is not known."""
    if value is None or value != value:
        return "–"
    return f"{int(value):,}" if float(value).is_integer() and digits == 0 else f"{value:.{digits}f}"
