"""The text and the picture of benchmarks/gap.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from gap_judging import MEAN, SETS
from gap_rounds import LARGE, ROUNDS, Round, parted
from matplotlib.figure import Figure

from dnn_topology.analysis.gap import Evaluation

MEANS = "the mean's"
SHARE = "of the mean's"


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as JSON has them."""
    return [
        {key: None if isinstance(value, float) and np.isnan(value) else value for key, value in row.items()}
        for row in table.to_dict("records")
    ]


def markdown(
    last: pd.DataFrame,
    chosen_on: dict[str, pd.DataFrame],
    of_rounds: dict[str, pd.DataFrame],
    evaluations: dict[str, Evaluation],
) -> str:
    """Return the results as text.

    Args:
        last: The networks.
        chosen_on: Grid of a round → what every set and method is worth on the networks before it.
        of_rounds: What `gap_judging` says of all rounds, by its name in the results.
        evaluations: Method → all networks with parts left out.
    """
    gap, judged = last["gap"], of_rounds["judged"]
    lines = [
        f"{len(last)} networks, {last['net'].nunique()} architectures, {last['dataset'].nunique()} data sets "
        f"(CIFAR-10: JPEG copies). Gaps from {gap.min():.1f} to {gap.max():.1f} points, quartiles "
        f"{gap.quantile(0.25):.1f}, {gap.median():.1f}, {gap.quantile(0.75):.1f}. Errors are means of |gap foretold - "
        "gap| in points.",
    ]
    for each in ROUNDS:
        rows = judged[judged["round"] == each.grid]
        known = parted(last, each)[0]
        lines += ["", f"**Judged on {each.grid}.toml**, fitted on the {len(known)} networks before it. 95 % bootstrap "]
        lines[-1] += f"intervals over networks. Frozen before: {each.features} by {each.method}"
        lines[-1] += f"; second reading: {each.second}." if each.second else "."
        lines += [
            "",
            *_errors(rows),
            "",
            *_frozen(rows, each),
            *_over_nets(of_rounds["judged, over new architectures"], each),
        ]
        lines += ["", *_added(of_rounds["added to those judged"], each)]
        lines += ["", *_others(of_rounds["judged, differences"], each)]
    lines += ["", *_within(of_rounds["judged, parts of the last round left out"])]
    lines += ["", "Training accuracy less the agreement with the leave-one-out regression, nothing fitted, in points:"]
    lines += ["", of_rounds["judged, nothing fitted"].round(2).to_markdown(index=False)]
    lines += ["", "**All rounds together**:", "", *_together(of_rounds["judged, together"])]
    lines += [
        "",
        "Networks that `gap predict` says have hardly learned (a rule made after the second round), and others;",
    ]
    lines[-1] += " before: how many of those fitted on are so:"
    lines += ["", of_rounds["judged, hardly learned"].round(2).to_markdown(index=False)]
    lines += ["", "Intervals of `gap predict`, and for which share of the networks they hold:"]
    lines += ["", of_rounds["judged, intervals"].round(2).to_markdown(index=False)]
    for method, one in evaluations.items():
        lines += ["", f"**All {one.n_networks} networks, {method}**, parts left out in turn:", ""]
        lines.append(one.report().to_markdown(index=False))
        lines += ["", "What each set of the graph of neurons adds to the strongest of the others:", ""]
        lines.append(one.headline().to_markdown(index=False))
    for each in ROUNDS:
        known = len(parted(last, each)[0])
        lines += ["", f"**Before {each.grid}.toml**: the {known} networks, by the mean of error over the mean's error:"]
        lines += ["", chosen_on[each.grid].round(2).to_markdown(index=False)]
    return "\n".join(lines) + "\n"


def _errors(rows: pd.DataFrame) -> list[str]:
    """Return the table of a round: every set of features by every method, in the large groups."""
    groups = [group for group in LARGE if group in set(rows["group"])]
    lines = [f"| features | method | {' | '.join(f'{group} ({_n(rows, group)})' for group in groups)} |"]
    lines.append("|---" * (2 + len(groups)) + "|")
    for (name, method), part in rows.groupby(["features", "method"], sort=False):
        if name != MEAN or method == "linear":
            cells = " | ".join(_interval(part[part["group"] == group].iloc[0].to_dict()) for group in groups)
            lines.append(f"| {name} | {method if name != MEAN else ''} | {cells} |")
    return lines


def _frozen(rows: pd.DataFrame, each: Round) -> list[str]:
    """Return the table of what a round was fixed for: the frozen model against half of the mean's error."""
    mine = rows[rows["method"] == each.method].set_index(["features", "group"])
    lines = ["| group | networks | error | the mean's | of the mean's | above half of the mean's by |"]
    lines.append("|---" * 6 + "|")
    for group in mine.loc[each.features].index:
        row, mean = mine.loc[(each.features, group)], mine.loc[(MEAN, group)]
        apart = f"{row['mae'] - mean['mae'] / 2:+.1f} [{row['above half, lower']:+.1f}, "
        lines.append(
            f"| {group} | {row['n']} | {_interval(row.to_dict())} | {mean['mae']:.1f} | {row[SHARE]:.2f} | "
            f"{apart}{row['above half, upper']:+.1f}] |"
        )
    return lines


def _over_nets(by_net: pd.DataFrame, each: Round) -> list[str]:
    """Return what the errors on new architectures are with intervals over architectures, if there are enough."""
    rows = by_net[by_net["round"] == each.grid]
    if rows.empty:
        return []
    mine, mean = (rows[rows["features"] == name].iloc[0].to_dict() for name in (each.features, MEAN))
    apart = f"{mine['mae'] - mean['mae'] / 2:+.1f} [{mine['above half, lower']:+.1f}, {mine['above half, upper']:+.1f}]"
    return [
        "",
        f"Over architectures like the {mine['units']} new ones (Student's): {_interval(mine)}, the mean's "
        f"{_interval(mean)}; above half of the mean's by {apart}.",
    ]


def _added(added: pd.DataFrame, each: Round) -> list[str]:
    """Return the table of what the neurons' graph adds to the frozen features on a round's networks."""
    rows = added[(added["round"] == each.grid) & added["group"].isin(LARGE)]
    groups = [*dict.fromkeys(rows["group"])]
    lines = [f"Error of {each.features} by {each.method} changes, where these join it, by:", ""]
    lines += [f"| adds | {' | '.join(groups)} |", "|---" * (1 + len(groups)) + "|"]
    for name, part in rows.groupby("adds", sort=False):
        cells = [f"{row.difference:+.1f} [{row.lower:+.1f}, {row.upper:+.1f}]" for row in part.itertuples()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _others(apart: pd.DataFrame, each: Round) -> list[str]:
    """Return the table of how much more the other sets err than the frozen features on a round's networks."""
    rows = apart[(apart["round"] == each.grid) & apart["group"].isin(LARGE)]
    groups = [*dict.fromkeys(rows["group"])]
    lines = [f"By {each.method} these err more than {each.features} by:", ""]
    lines += [f"| features | {' | '.join(groups)} |", "|---" * (1 + len(groups)) + "|"]
    for name, part in rows.groupby("features", sort=False):
        cells = [f"{row.difference:+.1f} [{row.lower:+.1f}, {row.upper:+.1f}]" for row in part.itertuples()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _within(rows: pd.DataFrame) -> list[str]:
    """Return the table of the last round's networks, each foretold by those of other data sets or architectures."""
    each = ROUNDS[-1]
    lines = [f"**{each.grid}.toml alone**: a part left out, fitted on the round's other networks by {each.method}."]
    lines[0] += " Student's 95 % intervals over the parts."
    lines += ["", "| left out | features | error | of the mean's | above half of the mean's by |", "|---" * 5 + "|"]
    for (fold, parts), part in rows.groupby(["fold", "parts"], sort=False):
        half = part.loc[part["features"] == MEAN, "mae"].iloc[0] / 2
        for row in part.to_dict("records"):
            apart = f"{row['mae'] - half:+.1f} [{row['above half, lower']:+.1f}, {row['above half, upper']:+.1f}]"
            cells = (f"{fold} (of {parts})", row["features"], _interval(row), f"{row[SHARE]:.2f}", apart)
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _together(rows: pd.DataFrame) -> list[str]:
    """Return the table of all rounds together."""
    lines = ["| features | group | networks | error | the mean's | of the mean's | above half of the mean's by |"]
    lines.append("|---" * 7 + "|")
    for row in rows.to_dict("records"):
        apart = f"{row['mae'] - row[MEANS] / 2:+.1f} [{row['above half, lower']:+.1f}, {row['above half, upper']:+.1f}]"
        cells = (
            row["features"],
            row["group"],
            row["n"],
            _interval(row),
            f"{row[MEANS]:.1f}",
            f"{row[SHARE]:.2f}",
            apart,
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def _n(rows: pd.DataFrame, group: str) -> int:
    """Return how many networks a group has."""
    return int(rows[rows["group"] == group]["n"].iloc[0])


def _interval(row: dict[Any, Any]) -> str:
    """Return an error and its interval as text."""
    return f"{row['mae']:.1f} [{row['lower']:.1f}, {row['upper']:.1f}]"


def draw(foretold: pd.DataFrame, last: pd.DataFrame, one: Evaluation, path: Path) -> None:
    """Draw the errors with parts left out, and the gaps of the last round's networks as they were foretold."""
    each = ROUNDS[-1]
    judged = parted(last, each)[1]
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
    names = [name for name in reversed(SETS) if name in set(one.scores["predictor"])]
    looks = {"sample": ("#00204d", "o"), "architecture": ("#7b7b78", "s"), "data set": ("#fdb338", "^")}
    for shift, (fold, (shade, marker)) in zip((0.22, 0.0, -0.22), looks.items(), strict=True):
        rows = one.scores[one.scores["fold"] == fold].set_index("predictor").loc[names]
        label = "network left out" if fold == "sample" else f"{fold} left out"
        left.plot(rows["mae"], np.arange(len(names)) + shift, marker, color=shade, markersize=5, label=label)
        left.axvline(rows.loc[MEAN, "mae"] / 2, color=shade, linestyle=":", linewidth=0.9)
    left.set_yticks(np.arange(len(names)), names)
    left.set(xlabel="mean error in points (dotted: half of the mean's)", xlim=(0, None))
    left.set_title(f"all networks, {each.method}", fontsize=9)
    left.legend(frameon=False, fontsize=8, loc="upper left")
    shown = foretold[foretold["method"] == each.method].reset_index(drop=True)
    both = [shown["gap"].min() - 5, shown["gap"].max() + 5]
    data, net = (
        judged[name].isin(new).to_numpy() for name, new in (("dataset", each.new_data), ("net", each.new_nets))
    )
    known = shown[~data & ~net]
    right.plot(known["gap"], known[each.features], "o", color="0.82", markersize=3.5, label="neither new")
    groups = {"a new architecture": ~data & net, "a new data set": data & ~net, "both new": data & net}
    for (group, members), (shade, marker) in zip(groups.items(), looks.values(), strict=True):
        right.plot(shown["gap"][members], shown[each.features][members], marker, color=shade, markersize=5, label=group)
    right.plot(both, both, color="0.6", linewidth=0.8)
    right.set(xlabel="gap in points", ylabel="gap foretold")
    right.set_title(f"{len(judged)} networks of the last round,\n{each.features}", fontsize=9)
    right.legend(frameon=False, fontsize=8)
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
