"""The benchmark's figures as JSON, as a table in Markdown and as a plot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

MARKERS = "osD^vx*"


def write_report(results: dict[str, Any], folder: Path) -> None:
    """Write engines.json, engines.md and engines.png."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "engines.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    (folder / "engines.md").write_text(table(results))
    if results.get("curves"):
        _plot(results["curves"], results["axes"], folder / "engines.png")
    print(table(results))


def table(results: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    machine = results["machine"]
    names = [*machine["engines"]]
    others = [name for name in names if name != "auto" and "morse" not in name]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB; "
        f"load average {results['load']}; "
        + ", ".join(f"{name} {version}" for name, version in machine["engines"].items() if version),
        "",
        "Seconds from the functional graph to the diagrams (peak MiB), medians of rivals in turns; "
        f"`{results['command']}`.",
        "",
        "| graph | " + " | ".join(names) + " | auto / best other | 2 threads / 1 | diagrams equal |",
        "|---" * (len(names) + 4) + "|",
    ]
    for cell, row in sorted(results.get("cells", {}).items()):
        auto, one = row["auto"]["seconds"], row["morse, 1 thread"]["seconds"]
        times = [row[name]["seconds"] for name in others if row.get(name, {}).get("seconds")]
        best = _ratio(auto, min(times)) if times else f"< {_ratio(auto, row[others[0]]['limit'])}"
        digests = {run["digest"] for run in row.values() if run["seconds"]}
        equal = "–" if not digests else "yes" if len(digests) == 1 else "NO"
        figures = " | ".join(_cell(row.get(name)) for name in names)
        lines.append(f"| {cell} | {figures} | {best} | {_ratio(one, auto)} | {equal} |")
    for scale, row in results.get("epoch", {}).items():
        seconds = row["auto"]["seconds"]
        lines += ["", f"One LeNet epoch, activations to summaries, ε ≤ {scale}, H0–H2: {seconds:.2f} s."]
    if "large" in results:
        lines += ["", "| large graph | auto | gudhi |", "|---|---|---|"]
        lines += [
            f"| {name} | {_cell(row['auto'])} | {_cell(row['gudhi'])} |" for name, row in results["large"].items()
        ]
    for name, row in results.get("start", {}).items():
        lines += ["", f"First graph of a process, {name}: " + ", ".join(f"{dim} {t} s" for dim, t in row.items()) + "."]
    return "\n".join(lines) + "\n"


def _ratio(one: float | None, other: float | None) -> str:
    """Return how many times as long one took as the other; a dash where one of them gave up."""
    return "–" if one is None or other is None else f"{one / other:.2f}"


def _cell(run: dict[str, Any] | None) -> str:
    """Return one figure of the table."""
    if run is None:
        return ""
    if run["seconds"] is None:
        return f"> {run['limit']:g}"
    return f"{run['seconds']:.2f} ({run['peak_mib']:.0f})"


def _plot(curves: dict[str, dict[str, Any]], values: dict[str, list[str]], path: Path) -> None:
    """Draw the scaling curves: time above, peak memory below."""
    figure, axes = plt.subplots(2, len(values), figsize=(5 * len(values), 7), layout="constrained", sharex="col")
    for column, (name, points) in zip(axes.T, values.items(), strict=True):
        rows = [curves[f"{name}|{point}"] for point in points]
        for marker, engine in zip(MARKERS, rows[0], strict=False):
            style = {"linewidth": 2.5} if engine == "auto" else {"linewidth": 1.0, "linestyle": "--"}
            for ax, what in zip(column, ("seconds", "peak_mib"), strict=True):
                heights = [row.get(engine, {}).get(what) or float("nan") for row in rows]
                ax.plot([float(point) for point in points], heights, marker=marker, label=engine, **style)
        column[0].set(ylabel="seconds, H0–H2", yscale="log")
        column[1].set(xlabel=name, ylabel="peak memory, MiB", yscale="log")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(MARKERS))
    figure.savefig(path, dpi=150)
