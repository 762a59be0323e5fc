"""Groups of trainings compared: differences of Betti curves and of summaries, more than chance or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnn_topology._calls import checked, checked_fields
from dnn_topology._checks import DnnTopologyError, check_at_least, check_choice
from dnn_topology.analysis.comparison.effects import effect, mean_interval
from dnn_topology.analysis.comparison.permutation import (
    Partitions,
    PermutationTest,
    corrected,
    permutation_test,
    stretches,
)
from dnn_topology.analysis.comparison.report import report_of_curves, report_of_groups
from dnn_topology.analysis.comparison.trials import Trial, Trials
from dnn_topology.homology.summaries import summarize

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUMMARIES = ("life", "midlife", "betti_max", "peak_epsilon", "count")
KNOWN = (*SUMMARIES, "essential", "peak_density", "integral", "total_persistence", "entropy")


@checked_fields
@dataclass(frozen=True, eq=False)
class Comparison:
    """What groups of trials have in common and how they differ.

    Attributes:
        groups: One row per group, epoch, dimension and summary: `group`, `epoch`, `dim`, `summary`, `n` (trials),
            `mean`, `std` (with n - 1), `lower` and `upper` of Student's interval for the mean.
        curves: One row per pair of groups, epoch and dimension: `first`, `second`, `epoch`, `dim`, `difference` (the
            largest between the mean Betti curves, in cavities), `epsilon` (where), `p`, `p_corrected`, and `where`, the
            stretches of ε, as a list of (from, to), on which the difference is beyond the largest one of 95 % of all
            partitions.
        summaries: One row per pair, epoch, dimension and summary: `difference` (first less second) with `lower` and
            `upper`, `effect` (Hedges' g) with `effect_lower` and `effect_upper`, `p`, `p_corrected`.
        tests: One row per pair: `first`, `second`, `n_first`, `n_second`, `n_partitions`, `exact`, `least_p`.
        notes: What a reader has to know: groups that cannot be tested, epochs left out, the least p-value.
        confidence: Of all intervals.

    Example:
        >>> from dnn_topology.homology.diagrams import Diagrams
        >>> loops = [Diagrams([[], [(0.1, 0.2 + seed / 100)]], max_epsilon=0.3) for seed in range(4)]
        >>> result = compare({"a": loops[:2], "b": loops[2:]})
        >>> result.tests[["n_first", "n_second", "n_partitions", "exact"]].values.tolist()
        [[2, 2, 6, True]]
    """

    groups: pd.DataFrame
    curves: pd.DataFrame
    summaries: pd.DataFrame
    tests: pd.DataFrame
    notes: tuple[str, ...] = ()
    confidence: float = field(default=0.95)

    def report(self) -> pd.DataFrame:
        """Return means and differences of the summaries as text, rounded by their uncertainty: for people.

        Returns:
            One row per epoch, dimension and summary: mean ± half its interval of every group and, of every pair, the
            difference with its interval, Hedges' g with its interval, and p, corrected.
        """
        return report_of_groups(self)

    def curve_report(self) -> pd.DataFrame:
        """Return the differences of the mean Betti curves as text: one row per pair, epoch and dimension."""
        return report_of_curves(self)

    def __repr__(self) -> str:
        """Return how many groups of how many trials there are."""
        sizes = self.groups.groupby("group", sort=False)["n"].max()
        groups = ", ".join(f"{label}: {n} trial{'s' * (n != 1)}" for label, n in sizes.items())
        n_epochs, n_dims = self.groups["epoch"].nunique(), self.groups["dim"].nunique()
        return f"Comparison({groups}; {n_epochs} epoch{'s' * (n_epochs != 1)}, {n_dims} dimension{'s' * (n_dims != 1)})"


@checked
def compare(
    groups: Mapping[str, Iterable[Trial]] | Iterable[Iterable[Trial]],
    *,
    summaries: Sequence[str] = SUMMARIES,
    resamples: int = 9999,
    confidence: float = 0.95,
    n_scales: int = 401,
    seed: int = 0,
) -> Comparison:
    """Compare groups of trials: trainings that differ in the seed alone, say, with true and with permuted labels.

    Of every two groups, at every epoch and in every dimension, the statistic of the Betti curves is the largest
    |difference of the two means| over all scales, that of a summary the |difference of the means|. Its p-value is the
    share of the ways to part the trials into groups of these sizes in which it is as large: exact where there are at
    most `resamples` + 1 ways, else from a sample of them. Trials keep their epochs together. They
    are taken for independent; those of two groups that share a seed, and so their initial weights, are alike if
    anything, which makes a difference harder to find, not easier.

    `p_corrected` accounts for the number of epochs and dimensions (and summaries) by the largest statistic over them
    all (Westfall and Young's maxT; see `corrected`), and for that of pairs of groups by Bonferroni's factor. With few
    trials no p-value can be small: `tests` and `notes` say what is the least.

    Args:
        groups: Label → the trials of a group; a trial is diagrams, a measurement, or epoch → such, as `track` returns.
            A list of groups gets the labels A, B, …. A group of one is described and not tested.
        summaries: Columns of `summarize`; one that is not defined in every trial is described and not tested.
        resamples: Partitions that are drawn where there are more.
        confidence: Of all intervals.
        n_scales: Number of equally spaced scales at which curves are compared, 0 and max_epsilon included.
        seed: Of the draw.

    Returns:
        The comparison. The points that are given count: hand over `diagrams.filtered()`, or measurements.

    Raises:
        DnnTopologyError: There is no trial; trials have other dimensions, another max_epsilon or another filter than
            the first, or no epoch in common; an option is wrong.

    Example:
        >>> from dnn_topology.homology.diagrams import Diagrams
        >>> early = [Diagrams([[], [(0.2, 0.25 + seed / 100)]], max_epsilon=0.3) for seed in range(3)]
        >>> late = [Diagrams([[], [(0.1, 0.25 + seed / 100)]], max_epsilon=0.3) for seed in range(3)]
        >>> found = compare({"early": early, "late": late})
        >>> found.curves.query("dim == 1")[["difference", "p"]].to_numpy().tolist()
        [[1.0, 0.1]]
        >>> found.notes
        ('early against late: 20 partitions of 3 against 3, all looked at: no p-value can be below 0.1',)
    """
    check_at_least("resamples", resamples, 99)
    check_at_least("n_scales", n_scales, 2)
    if not 0 < confidence < 1:
        raise DnnTopologyError(f"confidence must lie between 0 and 1, found {confidence:g}")
    for name in summaries:
        check_choice("summaries", name, KNOWN)
    trials = Trials.of(groups)
    numbers = {label: _numbers(group, trials.epochs, summaries) for label, group in trials.groups.items()}
    described = _described(numbers, confidence)
    curves, effects, tests = [], [], []
    for first, second in trials.pairs:
        sizes = len(trials.groups[first]), len(trials.groups[second])
        if min(sizes) < 2:
            continue
        partitions = Partitions.of(*sizes, resamples=resamples, seed=seed)
        about = {"first": first, "second": second}
        counts = {"n_first": sizes[0], "n_second": sizes[1], "n_partitions": len(partitions.inside)}
        tests.append({**about, **counts, "exact": partitions.exact, "least_p": partitions.least_p})
        curves += [about | row for row in _curve_rows(trials, first, second, partitions, n_scales)]
        both = numbers[first], numbers[second]
        effects += [about | row for row in _summary_rows(*both, partitions, confidence)]
    notes = (*_notes(trials, tests), *_undefined(described))
    of_curves, of_summaries = _table(curves, CURVES, len(tests)), _table(effects, EFFECTS, len(tests))
    return Comparison(described, of_curves, of_summaries, pd.DataFrame(tests, columns=TESTS), notes, confidence)


PAIR, KEYS, P = ("first", "second"), ("epoch", "dim"), ("p", "p_corrected")
CURVES = [*PAIR, *KEYS, "difference", "epsilon", *P, "where"]
EFFECTS = [*PAIR, *KEYS, "summary", "difference", "lower", "upper", "effect", "effect_lower", "effect_upper", *P]
TESTS = [*PAIR, "n_first", "n_second", "n_partitions", "exact", "least_p"]


def _numbers(group: Sequence[Mapping[int, Any]], epochs: Sequence[int], names: Sequence[str]) -> pd.DataFrame:
    """Return the summaries of a group: a row per (epoch, dim, summary), a column per trial."""
    columns = []
    for trial in group:
        tables = [summarize(trial[epoch]).assign(epoch=epoch) for epoch in epochs]
        long = pd.concat(tables).melt(["epoch", "dim"], list(names), "summary")
        columns.append(long.set_index([*KEYS, "summary"])["value"].astype(float))
    return pd.concat(columns, axis=1, keys=range(len(columns)))


def _described(numbers: Mapping[str, pd.DataFrame], confidence: float) -> pd.DataFrame:
    """Return mean, spread and interval of every summary of every group, over the trials in which it is defined."""
    rows = []
    for label, table in numbers.items():
        for key, values in zip(table.index, table.to_numpy(), strict=True):
            known = values[np.isfinite(values)]
            lower, upper = mean_interval(known, confidence=confidence)
            mean = float(known.mean()) if len(known) else float("nan")
            std = float(known.std(ddof=1)) if len(known) > 1 else float("nan")
            about = dict(zip((*KEYS, "summary"), key, strict=True))
            rows.append(
                {"group": label, **about, "n": len(known), "mean": mean, "std": std, "lower": lower, "upper": upper}
            )
    return pd.DataFrame(rows).sort_values([*KEYS], kind="stable", ignore_index=True)


def _curve_rows(trials: Trials, first: str, second: str, partitions: Partitions, n_scales: int) -> list[dict[str, Any]]:
    """Return the tests of the Betti curves of two groups, of every epoch and dimension."""
    rows: list[dict[str, Any]] = []
    tests: list[PermutationTest] = []
    for epoch in trials.epochs:
        groups = [[trial[epoch] for trial in trials.groups[label]] for label in (first, second)]
        scales = np.linspace(0, groups[0][0].max_epsilon, n_scales)
        for dim in range(trials.n_dims):
            one, other = (curves_at(group, dim, scales) for group in groups)
            test = permutation_test(one, other, partitions)
            difference = np.abs(one.mean(axis=0) - other.mean(axis=0))
            tests.append(test)
            rows.append(
                {
                    "epoch": epoch,
                    "dim": dim,
                    "difference": test.observed,
                    "epsilon": float(scales[np.argmax(difference)]) if test.observed else float("nan"),
                    "p": test.p,
                    "where": stretches(difference > test.threshold * (1 + 1e-9), scales),
                }
            )
    for row, p in zip(rows, corrected(tests), strict=True):
        row["p_corrected"] = p
    return rows


def _summary_rows(
    one: pd.DataFrame, other: pd.DataFrame, partitions: Partitions, confidence: float
) -> list[dict[str, Any]]:
    """Return the tests and effects of the summaries of two groups; those not defined in every trial have no test."""
    rows: list[dict[str, Any]] = []
    tested: list[tuple[dict[str, Any], PermutationTest]] = []
    for key, a, b in zip(one.index, one.to_numpy(), other.to_numpy(), strict=True):
        row = {**dict(zip((*KEYS, "summary"), key, strict=True)), **dict.fromkeys(P, float("nan"))}
        if np.isfinite(a).all() and np.isfinite(b).all():
            values = effect(a, b, confidence=confidence)
            row |= dict(zip(EFFECTS[5:11], values, strict=True))
            test = permutation_test(a, b, partitions)
            row["p"] = test.p
            tested.append((row, test))
        rows.append(row)
    for (row, _), p in zip(tested, corrected([test for _, test in tested]), strict=True):
        row["p_corrected"] = p
    return rows


def curves_at(group: Sequence[Any], dim: int, scales: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Betti curves of several diagrams at some scales, (n, m), float64."""
    return np.array([one.betti_curve(dim).at(scales) for one in group], dtype=np.float64)


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], n_pairs: int) -> pd.DataFrame:
    """Return rows as a table, their corrected p-values also corrected for the number of pairs of groups."""
    table = pd.DataFrame(rows, columns=list(columns))
    table["p_corrected"] = (table["p_corrected"] * max(n_pairs, 1)).clip(upper=1.0)
    return table


def _notes(trials: Trials, tests: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what a reader has to know of how groups were compared."""
    alone = [label for label, group in trials.groups.items() if len(group) == 1]
    notes = [f"{label} has one trial: described, not tested (two at least are needed)" for label in alone]
    if len(trials.groups) == 1:
        notes.append("there is one group: described, compared with nothing")
    if trials.left_out:
        notes.append(f"left out, because not every trial has them: epochs {' '.join(map(str, trials.left_out))}")
    for test in tests:
        looked = "all looked at" if test["exact"] else "drawn at random"
        notes.append(
            f"{test['first']} against {test['second']}: {test['n_partitions']} partitions of {test['n_first']} against "
            f"{test['n_second']}, {looked}: no p-value can be below {test['least_p']:.2g}"
        )
    return notes


def _undefined(described: pd.DataFrame) -> list[str]:
    """Return a note on summaries that some trials have not, because they have no such cavity."""
    of_group = described.groupby("group", sort=False)["n"].transform("max")
    of_number = described.groupby([*KEYS, "summary"])["n"].transform("max")
    few = described[(described["n"] < of_group) & (of_number > 0)]
    if few.empty:
        return []
    names = ", ".join(dict.fromkeys(f"{name} of H{dim}" for name, dim in zip(few["summary"], few["dim"], strict=True)))
    return [f"not tested where a trial has no finite cavity, so no such number: {names}"]
