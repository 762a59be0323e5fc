r"""Which rule finds a good epoch to stop at? Trainings on real data, each carried out once, every rule on each.

    python benchmarks/early_stopping.py --data fashion=npz:FASHION.npz --data usps=npz:USPS.npz \
        --data cifar10=npz:CIFAR10.npz                  # train what is missing, then judge what is there
    python benchmarks/early_stopping.py --only judge    # judge what is there

Every setting is trained on four fifths of its images, the last fifth being a validation split with the same share of
permuted labels, and on all of them. A rule that needs a split is used on the first, the others are used on the second
(and on the first, to compare the choice of an epoch alone). Nothing is chosen here: the rule by neighbours has the
patience and the graph that were found on MNIST, scikit-learn's digits and MNIST-1D, the rivals the same patience and
another. Test accuracy judges and decides nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from machine import command_line, machine
from matplotlib.figure import Figure
from numpy.typing import NDArray
from stopping_runs import Run, Training, carry_out, split

from dnn_topology.analysis.early_stopping import StoppingRule
from dnn_topology.analysis.gap.leave_one_out import left_out_classes
from dnn_topology.analysis.gap.scores import bootstrap_means, interval_of_units
from dnn_topology.analysis.neighbour_labels import NeighbourLabels
from dnn_topology.store import write_bytes, write_json, write_table

HERE = Path(__file__).parent
NOISE = (0.0, 0.25, 0.5)
FRESH = ("fashion", "usps", "cifar10")  # on which no rule was chosen
ALL = (*FRESH, "mnist")
SMALL, LARGE = 2_000, 10_000  # training images
FEWER = {"usps": 7_000}  # which has no 10,000
# net, data sets, seed, size: in this order, so that what is there first is spread over data sets, nets and sizes
PLAN = (
    *(("lenet_300_100", FRESH, 0, SMALL), ("bn_cnn", FRESH, 0, SMALL), ("lenet_300_100", FRESH, 1, SMALL)),
    *(("mlp", FRESH, 2, SMALL), ("lenet_300_100", ("fashion",), 2, SMALL), ("bn_cnn", ("usps",), 1, SMALL)),
    *(("lenet_300_100", ("mnist",), 0, SMALL), ("lenet_300_100", ("fashion",), 0, LARGE)),
    *(("lenet", ("fashion",), 0, SMALL), ("conv_2", ("fashion",), 0, SMALL)),
    *(("lenet_300_100", ("usps", "cifar10"), 2, SMALL), ("lenet_300_100", ("usps",), 0, LARGE)),
    *(("lenet", ("usps",), 0, SMALL), ("conv_2", ("usps",), 0, SMALL), ("lenet_300_100", ("mnist",), 1, SMALL)),
    *(("bn_cnn", ("mnist",), 0, SMALL), ("lenet_300_100", ("cifar10",), 0, LARGE), ("lenet", ("cifar10",), 0, SMALL)),
    *(("bn_cnn", ("fashion", "cifar10"), 1, SMALL), ("lenet_300_100", ("mnist",), 2, SMALL)),
    *(("lenet", ("mnist",), 0, SMALL), ("conv_2", ("cifar10", "mnist"), 0, SMALL)),
    *(("lenet_300_100", ("mnist",), 0, LARGE), ("lenet", FRESH, 1, SMALL), ("bn_cnn", FRESH, 2, SMALL)),
    # A third seed of every network, added before any of those above from LeNet on USPS on was judged.
    *(("lenet", FRESH, 2, SMALL), ("conv_2", FRESH, 1, SMALL), ("conv_2", FRESH, 2, SMALL)),
    *((net, ("mnist",), seed, SMALL) for seed in (1, 2) for net in ("lenet", "bn_cnn", "conv_2")),
    *(("mlp", FRESH, 0, SMALL), ("mlp", FRESH, 1, SMALL)),
    *(("lenet_300_100", FRESH, 1, LARGE), ("bn_cnn", FRESH, 0, LARGE), ("lenet_300_100", FRESH, 2, LARGE)),
    *(("lenet", FRESH, 0, LARGE), ("bn_cnn", FRESH, 1, LARGE), ("bn_cnn", FRESH, 2, LARGE)),
)
RUNS = [
    Run(net, data, noise, seed, FEWER.get(data, size) if size == LARGE else size)
    for net, sets, seed, size in PLAN
    for data in sets
    for noise in NOISE
]
PERCEPTRONS = ("lenet_300_100", "mlp")
SMOOTHED = 5  # epochs, of the curve that shows how much of a loss is noise
VALIDATION, LAST = "validation accuracy, patience 15", "last epoch"
RETRAINED, OURS = "retrained on all for validation's epoch", "neighbours: tree, patience 15"


@dataclass(frozen=True, eq=False)
class Setting:
    """A setting, trained twice.

    Attributes:
        parted: On four fifths.
        whole: On all images.
        disagreements: Graph → the disagreement of every epoch, of the training on four fifths and of that on all.
        apart: Of every epoch of both, the share of inputs at which kernel ridge regression on all others says another
            class than the network.
        agreement: Of neighbours' given labels in the tree of all images, from chance (0) to 1.
    """

    parted: Training
    whole: Training
    disagreements: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
    apart: tuple[NDArray[np.float64], NDArray[np.float64]]
    agreement: float

    @property
    def cell(self) -> str:
        """What is resampled: trainings that share images, order and initial weights are one draw."""
        run = self.parted.run
        return f"{run.dataset}-{run.net}-{run.train_size}-{run.seed}"


# of the training on four fifths (0) or on all (1): the epoch to keep; None if nothing was measured
Choice = Callable[[Setting, int], int | None]


def main() -> None:
    """Carry out what is missing, then judge the rules."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", default=[], metavar="NAME=DATA", help="what load_data calls it")
    parser.add_argument("--data-dir", type=Path, help="a folder with MNIST/raw, as torchvision's")
    parser.add_argument("--only", choices=("train", "judge"))
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time, on one thread each")
    parser.add_argument("--work", type=Path, default=HERE / ".work" / "stopping")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sources = {"mnist": "mnist", **dict(each.split("=", 1) for each in options.data)}
    if options.only != "judge":
        train_all(sources, options.data_dir, options.work, n_jobs=options.jobs)
    if options.only != "train":
        judge(settings_there(sources, options.data_dir, options.work), options.out)


def train_all(sources: Mapping[str, str], data_dir: Path | None, work: Path, *, n_jobs: int) -> None:
    """Carry out every training whose data are named, in the order of the plan."""
    asked = (
        delayed(train_one)(replace(run, held_out=held_out), work, sources, data_dir)
        for run in RUNS
        if run.dataset in sources
        for held_out in (run.held_out, 0.0)
    )
    for line in Parallel(n_jobs=n_jobs, return_as="generator", pre_dispatch=n_jobs, batch_size=1)(asked):
        print(line, flush=True)


def train_one(run: Run, work: Path, sources: Mapping[str, str], data_dir: Path | None) -> str:
    """Carry out a training, and return what to say of it."""
    torch.set_num_threads(1)
    trained = carry_out(run, work, sources, data_dir)
    last = {name: round(float(trained.table[name][-1]), 3) for name in ("train_accuracy", "test_accuracy")}
    return f"{run.name} {last}"


def settings_there(sources: Mapping[str, str], data_dir: Path | None, work: Path) -> list[Setting]:
    """Return the settings both of whose trainings are done, with what neighbours say at every epoch."""
    settings = []
    for run in RUNS:
        both = (run, replace(run, held_out=0.0))
        if all((work / f"{each.name}.npz").exists() for each in both):
            parted, whole = (carry_out(each, work, {}, None) for each in both)
            graphs = [graphs_of(each, sources[run.dataset], data_dir, work) for each in both]
            values = {
                name: tuple(
                    np.array([NeighbourLabels(edges[name], one.labels).disagreement(at) for at in one.predictions])
                    for edges, one in zip(graphs, (parted, whole), strict=True)
                )
                for name in graphs[0]
            }
            classes = [others_say(each, sources[run.dataset], data_dir, work) for each in both]
            apart = tuple(
                (one.predictions != said).mean(axis=1) for one, said in zip((parted, whole), classes, strict=True)
            )
            agreement = NeighbourLabels(graphs[1]["tree"], whole.labels).agreement
            settings.append(Setting(parted, whole, values, apart, agreement))  # type: ignore[arg-type]
    return settings


def graphs_of(run: Run, source: str, data_dir: Path | None, work: Path) -> dict[str, NDArray[np.int64]]:
    """Return the edges of the three graphs on a training's inputs, kept beside the trainings."""
    form = {"lenet": "images", "conv_2": "conv"}.get(run.net, "own")  # networks that resize them
    path = work / f"graphs-{run.dataset}-{form}-{run.train_size}-{run.seed}-{run.held_out}.npz"
    if not path.exists():
        data, _ = split(replace(run, noise=0.0), source, data_dir)
        images, labels = data.train.tensors
        graphs: dict[str, Any] = {"tree": "tree", "1-NN": 1, "3-NN": 3}
        np.savez(path, **{name: NeighbourLabels.of(images, labels, graph=g).edges for name, g in graphs.items()})
    with np.load(path) as held:
        return {name: held[name] for name in held.files}


def others_say(run: Run, source: str, data_dir: Path | None, work: Path) -> NDArray[np.int64]:
    """Return the class of every training input by regression on all others, kept beside the trainings.

    Raises:
        SystemExit: All inputs are one point.
    """
    path = work / f"others-{run.name}.npz"
    if not path.exists():
        data, _ = split(run, source, data_dir)
        images, labels = data.train.tensors
        classes = left_out_classes(images.flatten(1).numpy().astype(np.float64), labels.numpy())
        if classes is None:
            raise SystemExit(f"all training inputs of {run.name} are one point")
        np.savez(path, classes=classes)
    with np.load(path) as held:
        return np.asarray(held["classes"])


def rules() -> Iterator[tuple[str, str, Choice]]:
    """Yield every rule: its name, what it needs, and the epoch that it keeps."""
    for graph in ("tree", "1-NN", "3-NN"):
        for patience in (15, 5) if graph == "tree" else (15,):
            rule = StoppingRule("neighbours", patience, 0.0)
            yield f"neighbours: {graph}, patience {patience}", "training inputs", of_neighbours(graph, rule)
    yield "leave-one-out regression, patience 15", "training inputs", of_others
    yield "midlife may rise by 15 %, patience 3", "training inputs", of_loops(StoppingRule("midlife"))
    yield "density must fall (the paper's), patience 15", "training inputs", of_loops(StoppingRule("density"))
    yield "training loss, patience 15", "training inputs", lowest("train_loss", 15)
    yield "gradient disparity, patience 15", "training inputs", lowest("disparity", 15)
    yield "gradient disparity, first 5 rises (the paper's)", "training inputs", risen_five_times
    yield "changed predictions, first minimum (Label Wave)", "training inputs", label_wave
    yield "changed predictions, patience 15", "training inputs", fewest_changes
    yield VALIDATION, "a held-out fifth", lowest("val_accuracy", 15, sign=-1)
    yield "validation accuracy, patience 5", "a held-out fifth", lowest("val_accuracy", 5, sign=-1)
    yield "validation loss, patience 15", "a held-out fifth", lowest("val_loss", 15)
    yield LAST, "nothing", lambda setting, place: len(trainings(setting)[place].predictions) - 1


def trainings(setting: Setting) -> tuple[Training, Training]:
    """Return the training on four fifths and that on all images."""
    return setting.parted, setting.whole


def of_neighbours(graph: str, rule: StoppingRule) -> Choice:
    """Return the rule by neighbours."""
    return lambda setting, place: chosen(rule, setting.disagreements[graph][place])


def of_others(setting: Setting, place: int) -> int:
    """Keep the epoch that differs least from what kernel ridge regression on all other inputs says; patience 15."""
    return first_minimum(setting.apart[place], 15)


def of_loops(rule: StoppingRule) -> Choice:
    """Return a rule on loops, which were measured in the training on all images alone."""

    def choose(setting: Setting, place: int) -> int | None:
        values = setting.whole.table.get(rule.quantity) if place else None
        return None if values is None else chosen(rule, values)

    return choose


def lowest(column: str, patience: int, *, sign: int = 1) -> Choice:
    """Return the usual rule: keep the minimum of sign · value, stop when there was no new one for `patience` epochs."""

    def choose(setting: Setting, place: int) -> int | None:
        values = sign * trainings(setting)[place].table[column]
        return None if np.isnan(values).all() else first_minimum(values, patience)

    return choose


def first_minimum(values: NDArray[np.float64], patience: int) -> int:
    """Return the first minimum of those values that are seen until there was no new one for `patience` epochs."""
    best = 0
    for epoch, value in enumerate(values):
        if value < values[best]:
            best = epoch
        elif epoch - best >= patience:
            break
    return best


def chosen(rule: StoppingRule, values: NDArray[np.float64]) -> int:
    """Return the epoch that a rule keeps, the last where it keeps none."""
    epoch = rule.decide(dict(enumerate(values.tolist()))).chosen_epoch
    return len(values) - 1 if epoch is None else epoch


def risen_five_times(setting: Setting, place: int) -> int:
    """Keep the epoch before gradient disparity had risen five times (Forouzesh & Thiran 2021)."""
    values = trainings(setting)[place].table["disparity"][1:]
    rises = np.flatnonzero(np.diff(values) > 0)
    return len(values) if len(rises) < 5 else int(rises[4]) + 2


def changes(training: Training) -> NDArray[np.float64]:
    """Return how many predictions at training inputs changed in every epoch, from epoch 1."""
    return (training.predictions[1:] != training.predictions[:-1]).mean(axis=1)


def label_wave(setting: Setting, place: int) -> int:
    """Keep the first local minimum of changed predictions, a mean of three epochs (Yuan et al., ICLR 2025)."""
    values = np.convolve(changes(trainings(setting)[place]), np.ones(3) / 3, mode="valid")
    rises = np.flatnonzero(np.diff(values) > 0)
    return len(values) + 2 if not len(rises) else int(rises[0]) + 3


def fewest_changes(setting: Setting, place: int) -> int:
    """Keep the fewest changed predictions, with patience 15."""
    return 1 + first_minimum(changes(trainings(setting)[place]), 15)


def judge(settings: list[Setting], out: Path) -> None:
    """Write what every rule loses, and what it gains over a validation split."""
    rows = pd.DataFrame([row for setting in settings for row in outcomes(setting)])
    fresh = rows[rows["dataset"].isin(FRESH)]
    table = summarized(fresh)
    parts = {name: summarized(rows[rows["dataset"] == name]) for name in ALL if (rows["dataset"] == name).any()}
    text = markdown(table, rows)
    results = {
        "command": command_line(),
        "machine": machine(),
        "settings": [setting.parted.run.name for setting in settings],
        "fresh": table.to_dict("records"),
        "by_data_set": {name: part.to_dict("records") for name, part in parts.items()},
    }
    write_json(out / "early_stopping.json", results)
    write_table(out / "early_stopping.csv", rows.round(4))
    write_bytes(out / "early_stopping.md", text.encode())
    draw(table, settings, out / "early_stopping.png")
    print(text)


def outcomes(setting: Setting) -> Iterator[dict[str, Any]]:
    """Yield one row per rule: the epoch that it keeps, the points lost there, and the accuracy one is left with."""
    run = setting.parted.run
    about = {"run": run.name, "cell": setting.cell, "dataset": run.dataset, "net": run.net, "noise": run.noise}
    about |= {"size": run.train_size, "agreement": setting.agreement}
    curves = [100 * one.table["test_accuracy"] for one in trainings(setting)]
    smooth = [np.convolve(curve, np.ones(SMOOTHED) / SMOOTHED, mode="valid") for curve in curves]
    floor = float(curves[1].max() - smooth[1].max())  # what a curve without its noise "loses"
    for name, needs, choose in rules():
        epochs = [choose(setting, place) for place in (0, 1)]
        place = 0 if needs == "a held-out fifth" else 1
        if epochs[place] is None:
            continue
        yield {
            **about,
            "rule": name,
            "needs": needs,
            "epoch": epochs[place],
            "lost": curves[place].max() - curves[place][epochs[place]],
            "accuracy": curves[place][epochs[place]],
            "on_four_fifths": np.nan if epochs[0] is None else curves[0][epochs[0]],
            "floor": floor,
        }
        if name == VALIDATION and epochs[0] is not None:
            at = curves[1][epochs[0]]
            again = {"rule": RETRAINED, "needs": "a held-out fifth, two trainings", "epoch": epochs[0]}
            yield {
                **about,
                **again,
                "lost": curves[1].max() - at,
                "accuracy": at,
                "on_four_fifths": np.nan,
                "floor": floor,
            }


def summarized(rows: pd.DataFrame) -> pd.DataFrame:
    """Return per rule what it loses and its differences to validation and to retraining, cells resampled."""
    table = rows.pivot_table(index=["cell", "run"], columns="rule", values=["lost", "accuracy", "on_four_fifths"])
    summary = []
    for name, part in rows.groupby("rule", sort=False):
        row: dict[str, Any] = {"rule": name, "needs": part["needs"].iloc[0], "n": len(part)}
        row["cells"] = part["cell"].nunique()
        accuracy = table["accuracy"][name]
        quantities = {
            "lost": table["lost"][name],
            "accuracy": accuracy,
            "above_validation": accuracy - table["accuracy"][VALIDATION],
            "above_retrained": accuracy - table["accuracy"][RETRAINED],
        }
        if name in table["on_four_fifths"]:
            quantities["choice_alone"] = table["on_four_fifths"][name] - table["on_four_fifths"][VALIDATION]
        for quantity, values in quantities.items():
            row[quantity], row[f"{quantity}_low"], row[f"{quantity}_high"] = interval(values)
        for noise, some in part.groupby("noise"):
            row[f"lost_{round(100 * float(noise))}"] = some["lost"].mean()
        summary.append(row)
    return pd.DataFrame(summary)


def interval(values: pd.Series, *, repeats: int = 4000) -> tuple[float, float, float]:
    """Return a mean and its 95 % interval, cells (data set, network, size, seed; all noise levels) resampled whole.

    Args:
        values: One per setting, the cell in the index; NaN where a rule looks at what was not measured.
        repeats: Bootstrap samples.
    """
    there = values.dropna()
    groups, _ = pd.factorize(there.index.get_level_values("cell"), sort=True)
    means = bootstrap_means(there.to_numpy(), groups, n=repeats, seed=0)
    return float(there.mean()), *(float(end) for end in np.quantile(means, [0.025, 0.975]))


def shown(row: Mapping[str, Any], quantity: str, *, sign: bool = True) -> str:
    """Return a mean and its interval as text."""
    if quantity not in row or pd.isna(row[quantity]):
        return ""
    plus = "+" if sign else ""
    mean, low, high = (row[f"{quantity}{end}"] for end in ("", "_low", "_high"))
    return f"{mean:{plus}.1f} [{low:{plus}.1f}, {high:{plus}.1f}]"


def markdown(table: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Return the results as text."""
    fresh = rows[rows["dataset"].isin(FRESH)]
    one = fresh[fresh["rule"] == OURS]
    lines = [
        f"{len(one)} settings on {', '.join(FRESH)}, on which no rule was chosen, 0, 25 and 50 % of labels permuted,"
        " 60 epochs, each trained on four fifths and on all images. *Lost*: points of test accuracy below the best "
        "epoch of the same training (a rule that needs a held-out fifth: of the training on four fifths). *Accuracy*: "
        "what one is left with, the rules that need no split having trained on all images. *Above validation*: paired "
        "difference to validation accuracy with patience 15. *Choice alone*: the same with both on four fifths. *n*: "
        "settings; loops were measured in one LeNet alone. 95 % bootstrap intervals: a data set, network, size and "
        f"seed at its noise levels is resampled as one ({one['cell'].nunique()} of them): they hold for these data "
        f"sets and networks. {_of_draws(fresh)} The best epoch is a maximum over noise: a curve smoothed over "
        f"{SMOOTHED} epochs itself loses {one['floor'].mean():.1f} points.",
        "",
        "| rule | needs | n | lost | 0 % | 25 % | 50 % | accuracy | above validation | above retraining "
        "| choice alone |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in table.to_dict("records"):
        noise = [f"{row[name]:.1f}" for name in ("lost_0", "lost_25", "lost_50")]
        own = "" if row["rule"] == VALIDATION else shown(row, "above_validation")
        again = "" if row["rule"] == RETRAINED else shown(row, "above_retrained")
        cells = (
            *(row["rule"], row["needs"], str(row["n"]), shown(row, "lost", sign=False), *noise),
            *(f"{row['accuracy']:.1f}", own, again),
            "" if row["rule"] == VALIDATION else shown(row, "choice_alone"),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *_settings(rows), "", *_parts(rows, fresh)]) + "\n"


def _settings(rows: pd.DataFrame) -> list[str]:
    """Return the table of the settings that there are."""
    lines = ["Which settings there are, of 0, 25 and 50 % of the labels permuted:", ""]
    lines += ["| data set | network | images | settings | seeds |", "|---|---|---|---|---|"]
    for (data, net, size), part in rows[rows["rule"] == OURS].groupby(["dataset", "net", "size"]):
        seeds = ", ".join(sorted({each.rsplit("-", 1)[1] for each in part["cell"]}))
        lines.append(f"| {data} | {net} | {size:,} | {len(part)} | {seeds} |")
    return lines


def _parts(rows: pd.DataFrame, fresh: pd.DataFrame) -> list[str]:
    """Return the table of the default by data set, by network and by number of images."""
    lines = [
        "By data set, and on those that no rule was chosen on by network and by images: neighbours (the default) above "
        "validation and retraining, and points lost (neighbours; validation; last epoch).",
        "",
        "| part | settings | neighbours' labels agree (0 chance, 1 always), at 0, 25, 50 % | above validation | "
        "above retraining | lost |",
        "|---|---|---|---|---|---|",
    ]
    for name in ALL:
        apart = "" if name in FRESH else " (apart: rules were chosen on 5,000 of its images)"
        lines += [_part(name + apart, part) for _, part in rows[rows["dataset"] == name].groupby("dataset")]
    sizes = fresh["size"].map({SMALL: "2,000 images"}).fillna("7,000 or 10,000 images")
    families = fresh["net"].isin(PERCEPTRONS).map({True: "all perceptrons", False: "all convolutional networks"})
    groupings = (fresh["net"], families, sizes)
    return [*lines, *(_part(str(name), part) for by in groupings for name, part in fresh.groupby(by))]


def _of_draws(fresh: pd.DataFrame) -> str:
    """Return how sure the gain is where only draws of images and labels are taken for independent."""
    table = fresh.pivot_table(index=["cell", "run"], columns="rule", values="accuracy")
    apart = table[OURS] - table[VALIDATION]
    of_cells = [f"{cell.split('-')[0]} {cell.rsplit('-', 1)[1]}" for cell in apart.index.get_level_values("cell")]
    draws, names = pd.factorize(pd.Series(of_cells))
    low, high = interval_of_units(apart.to_numpy(), draws)
    return (
        f"Networks of one data set and seed share images and permuted labels: over these {len(names)} draws alone "
        f"(Student's interval of their means) the default is {apart.mean():+.1f} [{low:+.1f}, {high:+.1f}] above "
        "validation."
    )


def _part(name: str, rows: pd.DataFrame) -> str:
    """Return a row of the table of some of the settings."""
    by_rule = summarized(rows).set_index("rule")
    ours = by_rule.loc[OURS].to_dict()
    agree = " ".join(f"{value:.2f}" for value in rows[rows["rule"] == OURS].groupby("noise")["agreement"].mean())
    lost = "; ".join(f"{by_rule.loc[rule, 'lost']:.1f}" for rule in (OURS, VALIDATION, LAST))
    gains = [
        shown(ours, quantity) if ours["cells"] > 1 else f"{ours[quantity]:+.1f} (one network)"
        for quantity in ("above_validation", "above_retrained")
    ]
    return f"| {name} | {ours['n']} | {agree} | {gains[0]} | {gains[1]} | {lost} |"


def draw(table: pd.DataFrame, settings: list[Setting], path: Path) -> None:
    """Draw how far the rules are above validation, and what the default looks at in three trainings of one network."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.1))
    shown_rules = table[table["rule"] != VALIDATION].iloc[::-1]
    places = np.arange(len(shown_rules))
    mean = shown_rules["above_validation"]
    errors = [mean - shown_rules["above_validation_low"], shown_rules["above_validation_high"] - mean]
    left.errorbar(mean, places, xerr=errors, fmt="o", color="0.2", capsize=2, markersize=4)
    left.axvline(0, color="0.6", linewidth=1)
    left.set_yticks(places, shown_rules["rule"], fontsize=8)
    left.set(xlabel="points of accuracy above validation on a held-out fifth")
    other = right.twinx()
    three = [one for one in settings if one.cell == f"fashion-lenet_300_100-{SMALL}-0"]
    for setting, line, shade in zip(three, ("-", "--", ":"), ("#fdb338", "#7b7b78", "#00204d"), strict=False):
        label = f"{setting.whole.run.noise:.0%} of the labels permuted"
        values = setting.disagreements["tree"][1]
        right.plot(values, line, color=shade, label=label)
        other.plot(setting.whole.table["test_accuracy"], line, color="0.75", linewidth=1)
        epoch = chosen(StoppingRule("neighbours"), values)
        right.plot([epoch], [values[epoch]], "o", color=shade)
    right.set(xlabel="epoch", ylabel="disagreement of neighbours", ylim=(0, 1))
    right.set_title("MLP 300-100 on Fashion-MNIST; dots: the epoch kept", fontsize=9)
    other.set(ylabel="test accuracy (grey)", ylim=(0, 1.02))
    right.legend(frameon=False, loc="lower right", fontsize=8)
    for ax in (left, right):
        ax.spines["top"].set_visible(False)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
