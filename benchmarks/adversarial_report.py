"""What `adversarial.py` measured, as JSON, as tables and as a picture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import machine
from matplotlib.figure import Figure

from dnn_topology.store import write_bytes

NEGATIVES = {
    "clean": "clean",
    "noise": "noise (attack's norm)",
    "l2noise": "noise (L2)",
    "shuffled": "attack's change, shuffled",
}
PLAIN = ("pgd 0.1", "pgd 0.3", "deepfool")
RULE = "mean over networks and attacks of the smallest AUROC against the four kinds of harmless inputs"


def write_report(
    measured: Mapping[str, Mapping[str, Any]],
    out: Path,
    *,
    asked: Mapping[str, Any],
    choosing: Sequence[str],
    topological: Sequence[str],
) -> None:
    """Write adversarial.json, .md and .png.

    Args:
        measured: Network → its accuracy, rows of AUROCs, attacks and differences to the twins.
        out: Folder.
        asked: The settings.
        choosing: The networks that the recommended detector was chosen on; the others judge it.
        topological: Names of the detectors that look at topology.
    """
    rows = all_rows(measured).assign(choosing=lambda table: table["network"].isin([*choosing]))
    content = {
        "command": asked["command"],
        "machine": machine(),
        "asked": {name: value for name, value in asked.items() if name != "command"},
        "choosing": [name for name in measured if name in choosing],
        "judged": [name for name in measured if name not in choosing],
        "networks": {name: {**one, "rows": _compact(one["rows"])} for name, one in measured.items()},
    }
    # one row per line: the file is long, and a difference should be readable
    text = json.dumps(content, ensure_ascii=False, indent=None, separators=(",", ":"), default=list)
    write_bytes(out / "adversarial.json", text.replace("],[", "],\n[").encode() + b"\n")
    tables = _markdown(rows, measured, choosing, topological)
    write_bytes(out / "adversarial.md", tables.encode())
    print(tables)
    _picture(rows[~rows["choosing"]], topological, out / "adversarial.png")


def all_rows(measured: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return the rows of every network in one table, the attacks' names with their strengths, over all inputs."""
    rows = pd.concat(
        [pd.DataFrame(one["rows"]).assign(network=name) for name, one in measured.items()], ignore_index=True
    )
    strength = rows["strength"].map(lambda value: "" if pd.isna(value) else f" {value:g}")
    rows = rows.assign(attack=rows["attack"] + strength)
    return rows[(rows["inputs"] == "all") & (rows["positive"] == "adversarial")]


def _compact(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return rows as the names of their columns, once, and lists."""
    return {"columns": list(rows[0]), "rows": [list(row.values()) for row in rows]}


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row per detector: mean AUROC against each kind of harmless inputs, of the smallest, and false alarms.

    Args:
        rows: Of some networks and attacks.
    """
    cells = rows.pivot_table(index=["detector", "network", "attack"], columns="negative", values="auroc")
    cells = cells.assign(worst=cells.min(axis=1))
    clean = rows[rows["negative"] == "clean"].set_index(["detector", "network", "attack"])
    cells = cells.assign(alarms=clean["fpr95"])
    by_detector = cells.groupby("detector").mean()
    lowest = cells.groupby(["detector", "network"])["worst"].mean().groupby("detector").min()
    return by_detector.assign(lowest=lowest).sort_values("worst", ascending=False)


def _by_kind(rows: pd.DataFrame, detectors: Iterable[str], topological: Sequence[str]) -> list[str]:
    """Return a table of the smallest of the four, mean over attacks and over the seeds of a network."""
    cells = rows.groupby(["detector", "network", "attack"])["auroc"].min().reset_index()
    cells["kind"] = cells["network"].str.rpartition("/")[0]
    table = cells.pivot_table(index="detector", columns="kind", values="auroc")
    lines = [
        "### Smallest of the four, by network and data set",
        "",
        "| detector | " + " | ".join(table.columns) + " |",
    ]
    lines.append("|---" * (1 + len(table.columns)) + "|")
    for name in detectors:
        label = f"**{name}**" if name in topological else name
        lines.append(f"| {label} | " + " | ".join(f"{cell:.2f}" for cell in table.loc[name]) + " |")
    return lines


def _markdown(
    rows: pd.DataFrame, measured: Mapping[str, Mapping[str, Any]], choosing: Sequence[str], topological: Sequence[str]
) -> str:
    """Return all tables."""
    plain = rows[rows["attack"].isin(PLAIN)]
    single = plain[~plain["detector"].str.startswith("batch")]
    chosen_on, judged_on = (summary(single[single["choosing"] == choice]) for choice in (True, False))
    judged = [name for name in measured if name not in choosing]
    lines = [
        f"Detectors ranked by the {RULE}. Attacks: {', '.join(PLAIN)}. Inputs that the network is right about, fooled "
        "afterwards or not. Topological detectors in bold. 0.5 is chance. Intervals of every figure are in "
        "adversarial.json.",
        "",
        f"Chosen on {', '.join(name for name in measured if name in choosing)}: **{chosen_on.index[0]}** "
        f"({chosen_on['worst'].iloc[0]:.2f}; next {chosen_on.index[1]}, {chosen_on['worst'].iloc[1]:.2f}). "
        f"Judged on {len(judged)} other networks: {', '.join(judged)}.",
        "",
        "### Judged networks, means",
        "",
        "| detector | clean | noise | L2 noise | shuffled | smallest of the four | … worst network "
        "| false alarms at 95 % found | chosen on: smallest of the four |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in judged_on.iterrows():
        label = f"**{name}**" if name in topological else name
        cells = [row[each] for each in (*NEGATIVES, "worst", "lowest", "alarms")] + [chosen_on["worst"].get(name)]
        lines.append(f"| {label} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")
    lines += ["", *_by_kind(single[~single["choosing"]], judged_on.index, topological), ""]
    lines += _evading(rows, "Attacks that evade a detector", ("squeezing", "penultimate"))
    lines += _evading(
        rows, "An attack through the trees (60 inputs; of the others as many as above)", ("profile+noise",)
    )
    lines += ["", *_twins(measured, judged), "", *_batches(plain), ""]
    for network in measured:
        lines += _network(network, rows[rows["network"] == network], measured[network], topological)
    return "\n".join(lines)


def _evading(rows: pd.DataFrame, title: str, evaded: Sequence[str]) -> list[str]:
    """Return a table of attacks that evade some detectors, of the judged networks that they were made on."""
    made = [f"adaptive-{name}" for name in evaded]
    attacks = [f"{name} {size:g}" for size in (0.1, 0.3) for name in ("pgd", *made)]
    under_all = rows[rows["attack"] == attacks[1]]["network"]
    rows = rows[(rows["negative"] == "clean") & ~rows["choosing"] & rows["network"].isin(under_all)]
    table = rows.pivot_table(index="detector", columns="attack", values="auroc")
    if attacks[1] not in table:
        return []
    attacks = [attack for attack in attacks if attack in table]
    table = table.loc[table[attacks[1]].notna(), attacks]
    return [
        f"### {title}: AUROC against clean inputs, means of {', '.join(dict.fromkeys(rows['network']))}",
        "",
        "| detector | " + " | ".join(attacks) + " |",
        "|---" * (1 + len(attacks)) + "|",
        *(f"| {name} | " + " | ".join(f"{cell:.2f}" for cell in row) + " |" for name, row in table.iterrows()),
        "",
    ]


def _twins(measured: Mapping[str, Mapping[str, Any]], judged: Sequence[str]) -> list[str]:
    """Return the table of what a tree adds to its twins."""
    cells = pd.DataFrame([{**row, "network": name} for name in judged for row in measured[name]["twins"]])
    lines = [
        "### What the tree adds: AUROC of the topological detector minus that of its twin on the same inputs",
        "",
        "Cells are judged networks × attacks × the four kinds of harmless inputs; intervals 95 %, inputs resampled, "
        "not corrected for their number.",
        "",
        "| detector | twin | mean | smallest | largest | cells | interval above 0 | below 0 | and by .05 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (name, twin), part in cells.groupby(["detector", "twin"], sort=False):
        apart = part["difference"]
        above, below = part["low"] > 0, part["high"] < 0
        sizes = f"{(above & (apart > 0.05)).sum()} / {(below & (apart < -0.05)).sum()}"
        lines.append(
            f"| {name} | {twin} | {apart.mean():+.3f} | {apart.min():+.2f} | {apart.max():+.2f} | {len(part)} | "
            f"{above.sum()} | {below.sum()} | {sizes} |"
        )
    return lines


def _batches(rows: pd.DataFrame) -> list[str]:
    """Return the table of detectors of batches."""
    rows = rows[rows["detector"].str.startswith("batch") & ~rows["choosing"]]
    lines = [
        "### Betti curves of disjoint batches, against clean ones: AUROC [95 %], number of batches",
        "",
        "| network | batches | " + " | ".join(PLAIN) + " |",
        "|---" * (2 + len(PLAIN)) + "|",
    ]
    for (network, detector), part in rows.groupby(["network", "detector"], sort=False):
        cells = []
        for attack in PLAIN:
            of_attack = part[part["attack"] == attack].set_index("negative")
            row = of_attack.loc["clean"]
            others = " / ".join(f"{of_attack.loc[each, 'auroc']:.2f}" for each in [*NEGATIVES][1:])
            cells.append(f"{row['auroc']:.2f} [{row['auroc_low']:.2f}, {row['auroc_high']:.2f}] / {others}")
        count = int(part["n_negative"].iloc[0])
        lines.append(f"| {network} | {count} × {detector.removeprefix('batch of ')} | " + " | ".join(cells) + " |")
    return [*lines, "", "After the slash: against noise, L2 noise and the shuffled change."]


def _network(name: str, rows: pd.DataFrame, one: Mapping[str, Any], topological: Sequence[str]) -> list[str]:
    """Return the table of one network."""
    attacks = list(dict.fromkeys(rows["attack"]))
    sizes = [
        f"{row['attack']}{'' if row['strength'] is None else format(row['strength'], ' g')}" for row in one["attacks"]
    ]
    fooled = dict(zip(sizes, (row["fooled"] for row in one["attacks"]), strict=True))
    lines = [
        f"### {name}: test accuracy {one['accuracy']['test']:.3f}, {one['attacks'][0]['n']} inputs",
        "",
        "AUROC against clean / noise / L2 noise / shuffled; in brackets false alarms where 95 % are found (clean).",
        "",
        "| detector | " + " | ".join(attacks) + " |",
        "|---" * (len(attacks) + 1) + "|",
        "| *share fooled* | " + " | ".join(f"{fooled[attack]:.2f}" for attack in attacks) + " |",
    ]
    table = rows.set_index(["detector", "attack", "negative"]).sort_index()
    for detector in dict.fromkeys(rows["detector"]):
        cells = []
        for attack in attacks:
            if (detector, attack, "clean") not in table.index:
                cells.append("")
                continue
            of_attack = table.loc[(detector, attack)]
            aurocs = " / ".join(f"{of_attack.loc[each, 'auroc']:.2f}" for each in NEGATIVES)
            cells.append(f"{aurocs} ({of_attack.loc['clean', 'fpr95']:.2f})")
        label = f"**{detector}**" if detector in topological else detector
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _picture(rows: pd.DataFrame, topological: Sequence[str], path: Path) -> None:
    """Draw, of every detector and attack, AUROC against each kind of harmless inputs: means, and a dot per network."""
    rows = rows[~rows["detector"].str.startswith("batch")]
    order = [*summary(rows[rows["attack"].isin(PLAIN)]).index][::-1]
    attacks = [*PLAIN, *(f"adaptive-{name} 0.3" for name in ("squeezing", "penultimate", "profile+noise"))]
    attacks = [attack for attack in attacks if attack in {*rows["attack"]}]
    figure = Figure(figsize=(2.6 * len(attacks) + 1.6, 7.2), layout="constrained")
    axes = figure.subplots(1, len(attacks), sharey=True, squeeze=False)[0]
    styles = zip(
        NEGATIVES.items(), "os^D", ("#00204d", "#5f636e", "#a69d75", "#d9a400"), (0.24, 0.08, -0.08, -0.24), strict=True
    )
    for (negative, label), marker, colour, shift in styles:
        for ax, attack in zip(axes, attacks, strict=True):
            chosen = rows[(rows["attack"] == attack) & (rows["negative"] == negative)]
            places = chosen["detector"].map(order.index) + shift
            ax.plot(chosen["auroc"], places, linestyle="", marker=".", markersize=3, color=colour, alpha=0.45)
            means = chosen.groupby("detector")["auroc"].mean()
            style = {"marker": marker, "color": colour, "markeredgecolor": "white", "markeredgewidth": 0.5}
            ax.plot(
                means,
                [order.index(name) + shift for name in means.index],
                linestyle="",
                markersize=6,
                label=label,
                **style,
            )
    for ax, attack in zip(axes, attacks, strict=True):
        ax.axvline(0.5, color="0.6", linewidth=0.8)
        ax.set(xlim=(-0.03, 1.03), xticks=(0, 0.5, 1), ylim=(-0.6, len(order) - 0.4), title=attack, xlabel="AUROC")
        ax.hlines(np.arange(len(order)) - 0.5, -0.03, 1.03, color="0.9", linewidth=0.6)
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
    axes[0].set_yticks(range(len(order)), [f"{name} *" if name in topological else name for name in order])
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False, title="attacked inputs against")
    figure.supxlabel(
        "* looks at topology. Large marks: means over the judged networks; dots: each of them.", fontsize=9
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def rank(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the summary of single-input detectors under the plain attacks."""
    return summary(rows[rows["attack"].isin(PLAIN) & ~rows["detector"].str.startswith("batch")])
