"""How well is the generalisation gap foretold, by what, and what does topology add? 128 networks, every row committed.

    python benchmarks/gap.py --data ../shared/data --cifar CIFAR.npz   # train and measure what is missing, then judge
    python benchmarks/gap.py --only judge            # recompute all tables and the picture from results/gap_epochs.csv

Everything was chosen on the networks of gap.toml and written down as `FROZEN`; those of gap_judged.toml, with other
seeds and with a data set and an architecture of which the first has none, were looked at afterwards.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import command_line, machine
from matplotlib.figure import Figure

from dnn_topology import load_data
from dnn_topology.analysis.feature_sets import FEATURE_SETS, SETTINGS, TOPOLOGICAL
from dnn_topology.analysis.features import with_early
from dnn_topology.analysis.gap import Evaluation, evaluate_gap
from dnn_topology.analysis.gap.folds import FOLDS, fold_labels, left_out
from dnn_topology.analysis.gap.methods import METHODS, fitted
from dnn_topology.analysis.gap.scores import TAIL, bootstrap_means
from dnn_topology.analysis.gap.table import design, expanded
from dnn_topology.cli import main as dnn_topology
from dnn_topology.nets.data import sample
from dnn_topology.store import read_table, write_arrays, write_bytes, write_json, write_table

HERE = Path(__file__).parent
PARTS = ("gap", "gap_judged")
N_TRAIN, N_TEST = 4_000, 1_500  # images of a data set that networks are drawn from, and that they are tested on
NEW_DATA, NEW_NET = "cifar10", "residual"
MEAN = "predict the mean"
SETS: dict[str, tuple[str, ...]] = {
    MEAN: (),
    **FEATURE_SETS,
    "asd + train": (*TOPOLOGICAL["asd"], *FEATURE_SETS["training"]),
}
FROZEN = ("purity+training", "gaussian-process")  # features and method, chosen on the networks of gap.toml alone
GROUPS = ("other seeds", "a new data set", "a new architecture")
KEPT = ("graph_split", *SETTINGS)  # columns that stay though they are the same throughout
DIGITS = 5  # of a number in the committed table


def main() -> None:
    """Carry out the study, then judge.

    Raises:
        SystemExit: A network failed.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("train", "judge"))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--cifar", type=Path, help="an npz with CIFAR-10; ours are JPEG copies of its images")
    parser.add_argument("--work", type=Path, default=HERE / ".work", help="where networks are kept")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    options = parser.parse_args()
    table = options.out.resolve() / "gap_epochs.csv"
    if options.only != "judge":
        write_table(table, _trained(options))
    if options.only != "train":
        _judge(read_table(table, "train first"), options.out)


def _trained(options: argparse.Namespace) -> pd.DataFrame:
    """Train what is missing, and return all rows, without columns that are the same throughout.

    Raises:
        SystemExit: A network failed, or images are missing.
    """
    work: Path = options.work.resolve()
    sources = {
        "mnist": "mnist",
        "fashion": f"npz:{(options.data / 'fashion_mnist_20k.npz').resolve()}",
        "usps": f"npz:{(options.data / 'usps.npz').resolve()}",
        "cifar10": f"npz:{options.cifar.resolve()}" if options.cifar else None,
    }
    for name, source in sources.items():
        path = work / "gap_data" / f"{name}.npz"
        if not path.exists():
            if source is None:
                raise SystemExit("name the images of CIFAR-10: --cifar FILE.npz")
            _prepare(source, options.data.resolve(), path)
    os.chdir(work)  # which the grids name data sets from
    rows = []
    for part in PARTS:
        words = ["study", str(HERE / f"{part}.toml"), "--jobs", str(options.jobs), "--save-path", str(work)]
        if dnn_topology(words):
            raise SystemExit("the study has networks that failed")
        rows.append(pd.read_csv(work / f"study_{part}" / "epochs.csv").assign(part=part))
    table = pd.concat(rows, ignore_index=True)
    table = table[[name for name in table if not name.startswith("early_")]]
    table["dataset"] = [Path(name).stem for name in table["dataset"].str.removeprefix("npz:")]
    table["net"] = table["net"].str.removeprefix("gap_nets:")
    table = table[[name for name in table if table[name].nunique(dropna=False) > 1 or name in KEPT]]
    numbers = table.select_dtypes("float").columns
    rounded = table[numbers].map(lambda value: float(f"{value:.{DIGITS}g}"))
    return table.assign(**{name: rounded[name] for name in numbers})


def _prepare(source: str, folder: Path, path: Path) -> None:
    """Write some images of a data set, as they are, as the file that the grids name."""
    data = load_data(source, normalise="none", data_dir=folder)
    arrays = {}
    for part, samples, n_images in (("train", data.train, N_TRAIN), ("test", data.test, N_TEST)):
        images, labels = sample(samples, n_images).tensors
        arrays |= {f"x_{part}": (images * 255).round().byte().numpy(), f"y_{part}": labels.numpy()}
    write_arrays(path, arrays)


def _judge(epochs: pd.DataFrame, out: Path) -> None:
    """Recompute every table and the picture from the rows."""
    last = with_early(epochs).drop_duplicates("cell", keep="last").reset_index(drop=True)
    known, judged = (last[last["part"] == part].reset_index(drop=True) for part in PARTS)
    choice, fresh, predictions = _choice(known), *_fresh(known, judged)
    evaluations = {method: evaluate_gap(last, method=method) for method in METHODS}
    results = {
        "command": command_line(),
        "machine": machine(),
        "frozen": {"features": FROZEN[0], "method": FROZEN[1], "chosen on": len(known), "judged on": len(judged)},
        "choice": _records(choice),
        "judged": _records(fresh),
        "left out of all": {
            method: {name: _records(getattr(one, name)) for name in ("scores", "differences", "added")}
            for method, one in evaluations.items()
        },
    }
    write_json(out / "gap.json", results)
    write_table(
        out / "gap_predictions.csv", pd.concat([predictions, *map(_left_out_rows, evaluations.items())]).round(2)
    )
    text = _markdown(last, choice, fresh, evaluations)
    write_bytes(out / "gap.md", text.encode())
    _draw(predictions, judged, evaluations[FROZEN[1]], out / "gap.png")
    print(text)


def _choice(known: pd.DataFrame) -> pd.DataFrame:
    """Return the error of every set and method on the networks that everything was chosen on, with parts left out.

    What orders them is the mean, with a data set and with an architecture left out, of the error over the mean's.
    """
    rows = []
    for method in METHODS:
        for name, columns in SETS.items():
            chosen = expanded(known, columns)
            there = np.isfinite(design(known, chosen)).all(axis=1)
            errors = {}
            for fold in FOLDS:
                foretold = left_out(known, (), fold_labels(known, fold))  # a network without a feature gets the mean
                part = known[there].reset_index(drop=True)
                foretold[there] = left_out(part, chosen, fold_labels(part, fold), method=method)
                errors[fold] = np.abs(foretold - known["gap"]).mean()
            rows.append({"features": name, "method": method, **errors})
    table = pd.DataFrame(rows)
    mean = table[table["features"] == MEAN].iloc[0]
    table["of the mean's"] = np.mean([table[fold] / mean[fold] for fold in ("architecture", "data set")], axis=0)
    return table.sort_values("of the mean's", ignore_index=True)


def _fresh(known: pd.DataFrame, judged: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return errors and predictions on the networks trained afterwards, by models fitted on the others."""
    groups = _groups(judged)
    gaps = judged["gap"].to_numpy()
    rows, foretold = [], {}
    for method in METHODS:
        for name, columns in SETS.items():
            chosen = expanded(known, columns)
            foretold[method, name] = _foretold(known, judged, chosen, method)
            for group, members in {"all": np.ones(len(gaps), dtype=bool), **groups}.items():
                errors = np.abs(foretold[method, name] - gaps)[members]
                low, high = np.quantile(
                    bootstrap_means(errors, np.arange(len(errors)), n=2000, seed=0), [TAIL, 1 - TAIL]
                )
                about = {"features": name, "method": method, "group": group, "n": len(errors)}
                rows.append({**about, "mae": errors.mean(), "lower": low, "upper": high})
    predictions = [
        pd.DataFrame({"fold": "judged", "method": method, "cell": judged["cell"], "gap": gaps}).assign(
            **{name: foretold[method, name] for name in SETS}
        )
        for method in METHODS
    ]
    return pd.DataFrame(rows), pd.concat(predictions, ignore_index=True)


def _foretold(known: pd.DataFrame, judged: pd.DataFrame, columns: tuple[str, ...], method: str) -> np.ndarray:
    """Return the gaps of networks that a fit on others foretells; the mean of those where a feature is not known."""
    values, asked = design(known, columns), design(judged, columns)
    there, answered = (np.isfinite(each).all(axis=1) for each in (values, asked))
    gaps = known["gap"].to_numpy(dtype=np.float64)
    foretold = np.full(len(judged), gaps.mean())
    foretold[answered] = fitted(method, values[there], gaps[there]).predict(asked[answered])
    return foretold


def _groups(judged: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return which networks are new in what."""
    data, net = (judged["dataset"] == NEW_DATA).to_numpy(), (judged["net"] == NEW_NET).to_numpy()
    return dict(zip(GROUPS, (~data & ~net, data, net), strict=True))


def _left_out_rows(item: tuple[str, Evaluation]) -> pd.DataFrame:
    """Return the predictions of one method, by the fold that they were left out in."""
    method, one = item
    return one.predictions.assign(method=method)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as JSON has them."""
    return [
        {key: None if isinstance(value, float) and np.isnan(value) else value for key, value in row.items()}
        for row in table.to_dict("records")
    ]


def _markdown(last: pd.DataFrame, choice: pd.DataFrame, fresh: pd.DataFrame, evaluations: dict[str, Evaluation]) -> str:
    """Return the results as text."""
    gap = last["gap"]
    lines = [
        f"{len(last)} networks, {last['net'].nunique()} architectures, {last['dataset'].nunique()} data sets "
        f"(CIFAR-10: JPEG copies). Gaps from {gap.min():.1f} to {gap.max():.1f} points, quartiles "
        f"{gap.quantile(0.25):.1f}, {gap.median():.1f}, {gap.quantile(0.75):.1f}. Errors are means of |gap foretold - "
        "gap| in points.",
        "",
        f"**Judged**: fitted on the {(last['part'] == PARTS[0]).sum()} networks of gap.toml, foretold those of "
        f"gap_judged.toml. 95 % bootstrap intervals over networks. Frozen before: {' by '.join(FROZEN)}.",
        "",
        f"| features | method | {' | '.join(f'{group} ({_n(fresh, group)})' for group in ('all', *GROUPS))} |",
        "|---|---|---|---|---|---|",
    ]
    for (name, method), rows in fresh.groupby(["features", "method"], sort=False):
        if name != MEAN or method == "linear":
            lines.append(
                f"| {name} | {method if name != MEAN else ''} | {' | '.join(map(_interval, rows.to_dict('records')))} |"
            )
    for method, one in evaluations.items():
        lines += [
            "",
            f"**All {one.n_networks} networks, {method}**, parts left out in turn:",
            "",
            one.report().to_markdown(index=False),
        ]
        lines += ["", "What each set of the graph of neurons adds to the strongest of the others:", ""]
        lines.append(one.headline().to_markdown(index=False))
    lines += ["", "**Chosen on** the networks of gap.toml, by the mean of error over the mean's error:", ""]
    lines.append(choice.round(2).to_markdown(index=False))
    return "\n".join(lines) + "\n"


def _n(fresh: pd.DataFrame, group: str) -> int:
    """Return how many networks a group has."""
    return int(fresh[fresh["group"] == group]["n"].iloc[0])


def _interval(row: dict[str, Any]) -> str:
    """Return an error and its interval as text."""
    return f"{row['mae']:.1f} [{row['lower']:.1f}, {row['upper']:.1f}]"


def _draw(predictions: pd.DataFrame, judged: pd.DataFrame, one: Evaluation, path: Path) -> None:
    """Draw the errors with parts left out, and the gaps of networks trained afterwards as they were foretold."""
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
    left.set_title(f"all networks, {FROZEN[1]}", fontsize=9)
    left.legend(frameon=False, fontsize=8, loc="lower left")
    shown = predictions[predictions["method"] == FROZEN[1]].reset_index(drop=True)
    both = [shown["gap"].min() - 5, shown["gap"].max() + 5]
    for (group, members), (shade, marker) in zip(_groups(judged).items(), looks.values(), strict=True):
        right.plot(shown["gap"][members], shown[FROZEN[0]][members], marker, color=shade, markersize=5, label=group)
    right.plot(both, both, color="0.6", linewidth=0.8)
    right.set(xlabel="gap in points", ylabel="gap foretold", title="")
    right.set_title(f"networks trained afterwards: {FROZEN[0]}", fontsize=9)
    right.legend(frameon=False, fontsize=8)
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
