"""Does it matter for what a network does which neurons its loops run through?

    python benchmarks/ablation.py --data-dir FOLDER            # train and silence what is missing, then judge
    python benchmarks/ablation.py --data-dir FOLDER --only judge

FOLDER holds fashion_mnist_20k.npz, what `load_data` takes as npz:PATH; mnist-5k comes with the package. Two networks ×
two data sets × three seeds, 4,000 training images each, six epochs. The functional graph is of 1,000 training inputs,
ε ≤ 0.3; of every loop of H1 the shortest of its bar counts. Silenced are the k neurons of the hidden layers in whose
loops there is most life, k from 1 to 30 % of them; then, of each layer as many: random ones (200 draws), those of
highest mean |activation|, those of largest incoming weights, and those in whose loops there is least life. What is lost
is accuracy on 500 test images, in points. p is the share of draws, averaged over the seeds draw by draw, that lose at
least as much (one-sided; least possible 1/201), and `p_holm` is that corrected for the tests of one ranking.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import command_line, machine
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import nn

from dnn_topology import ablate, build_net, functional_graph, load_data, participation, record, train
from dnn_topology.nets.data import DataSet, batches, sample
from dnn_topology.nets.zoo import find_network
from dnn_topology.store import write_bytes, write_json

HERE = Path(__file__).parent
NETS = ("lenet", "lenet_300_100")
SEEDS = range(3)
SHARES = (0.01, 0.03, 0.1, 0.3)
DRAWS, N_INPUTS, N_TEST, EPOCHS, TRAIN_SIZE = 200, 1000, 500, 6, 4000
FASHION = "fashion_mnist_20k.npz"
RANKINGS = {
    "participation": "most life of loops",
    "activation": "highest mean |activation|",
    "weights": "largest incoming weights",
    "least": "least life of loops",
}


@dataclass(frozen=True)
class Cell:
    """One network that is trained and silenced."""

    net: str
    data: str
    seed: int

    @property
    def name(self) -> str:
        """What its file is called."""
        return f"{self.net}-{self.data}-{self.seed}"


def main() -> None:
    """Carry out what is missing, then judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("silence", "judge"))
    parser.add_argument("--data-dir", type=Path, required=True, help=f"the folder of {FASHION}")
    parser.add_argument("--work", type=Path, default=HERE / ".work" / "ablation")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cells = [Cell(net, data, seed) for seed in SEEDS for data in ("mnist-5k", "fashion") for net in NETS]
    for cell in cells:
        path = options.work / f"{cell.name}.json"
        if not path.exists() and options.only != "judge":
            write_json(path, silenced(cell, options.data_dir))
            print(cell.name, flush=True)
    if options.only == "silence":
        return
    results = [json.loads((options.work / f"{cell.name}.json").read_text()) for cell in cells]
    rows = judged(results)
    kept = [{key: value for key, value in result.items() if key != "losses"} for result in results]
    write_json(
        options.out / "ablation.json",
        {"command": command_line(), "machine": machine(), "networks": kept, "rows": rows},
    )
    text = markdown(rows, kept)
    write_bytes(options.out / "ablation.md", text.encode())
    draw(rows, options.out / "ablation.png")
    print(text)


def silenced(cell: Cell, data_dir: Path) -> dict[str, Any]:
    """Train a network, silence its neurons in every way, and return what each way loses."""
    name = "mnist-5k" if cell.data == "mnist-5k" else f"npz:{data_dir / FASHION}"
    data = load_data(name, shape=find_network(cell.net).shape_for, train_size=TRAIN_SIZE, seed=cell.seed)
    model = build_net(cell.net, n_classes=data.n_classes, shape=data.shape, seed=cell.seed)
    train(model, data, epochs=EPOCHS, lr=0.02, batch_size=64, seed=cell.seed)
    inputs = sample(data.train, N_INPUTS, seed=cell.seed)
    activations = record(model, batches(inputs, batch_size=100))
    graph = functional_graph(activations, max_epsilon=0.3)
    part = participation(graph, min_persistence=0.0, tight="bar", threads=1)
    table = part.neurons[part.neurons["layer"] != activations.layers["layer"].iloc[-1]].reset_index(drop=True)
    scores = scores_of(model, activations, table, part.neurons["life_H1"])
    images, labels = test_images(data, cell.seed)
    rng = np.random.default_rng(cell.seed)
    whole = accuracy(model, images, labels)
    losses: dict[str, dict[str, list[float]]] = {}
    for share in SHARES:
        n = max(1, round(share * len(table)))
        most = table.iloc[np.argsort(-scores["participation"], kind="stable")[:n]]
        counts = most["layer"].value_counts().to_dict()
        ways = {ranking: [highest(table, counts, score)] for ranking, score in scores.items()}
        ways["random"] = [highest(table, counts, rng.random(len(table))) for _ in range(DRAWS)]
        losses[str(share)] = {
            way: [100 * (whole - silent_accuracy(model, images, labels, chosen)) for chosen in several]
            for way, several in ways.items()
        }
    layers = part.layers.sort_values("life", ascending=False)
    return {
        "cell": vars(cell),
        "test_accuracy": whole,
        "hidden_neurons": len(table),
        "within_one_layer": part.share_within(1),
        "layers": layers[["layers", "cavities", "share_of_life"]].head(6).to_dict("records"),
        "without_a_loop": float((table["cavities_H1"] == 0).mean()),
        "losses": losses,
    }


def scores_of(model: nn.Module, activations: Any, table: Any, life: Any) -> dict[str, NDArray[np.float64]]:
    """Return what neurons are ranked by, higher ones first; ties are broken by their order."""
    recorded = activations.neurons
    place = {key: at for at, key in enumerate(zip(recorded["layer"], recorded["index"], strict=True))}
    columns = [place[key] for key in zip(table["layer"], table["index"], strict=True)]
    mean = np.abs(activations.values).mean(axis=0)[columns]
    shapes = dict(zip(activations.layers["layer"], activations.layers["shape"], strict=True))
    norms = {layer: incoming_norms(model.get_submodule(layer)) for layer in table["layer"].unique()}
    weights = [
        norms[layer][index // int(np.prod(shapes[layer][1:]))]
        for layer, index in zip(table["layer"], table["index"], strict=True)
    ]
    lives = life.to_numpy()[table["node"]]
    return {"participation": lives, "activation": mean, "weights": np.array(weights), "least": -lives}


def incoming_norms(layer: nn.Module) -> NDArray[np.float64]:
    """Return the Euclidean norm of the weights into each unit or channel of a layer."""
    (weighted,) = [one for one in layer.modules() if isinstance(one, (nn.Linear, nn.Conv2d))]
    norms: NDArray[np.float64] = weighted.weight.detach().flatten(1).norm(dim=1).numpy()
    return norms


def highest(table: Any, counts: dict[str, int], score: NDArray[np.float64]) -> list[tuple[str, int]]:
    """Return of each layer the given number of neurons of highest score."""
    chosen: list[tuple[str, int]] = []
    for layer, n in counts.items():
        members = np.flatnonzero(table["layer"] == layer)
        best = members[np.argsort(-score[members], kind="stable")[:n]]
        chosen += [(layer, int(index)) for index in table["index"].iloc[best]]
    return chosen


def test_images(data: DataSet, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the test images that accuracy is of."""
    chosen = sample(data.test, min(N_TEST, len(data.test)), seed=seed)
    images, labels = zip(*batches(chosen, batch_size=len(chosen)), strict=True)
    return torch.cat(images), torch.cat(labels)


def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of images that is classified rightly."""
    model.eval()
    with torch.no_grad():
        return float((model(images).argmax(dim=1) == labels).double().mean())


def silent_accuracy(
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor, chosen: list[tuple[str, int]]
) -> float:
    """Return the accuracy while some neurons are silent."""
    with ablate(model, chosen):
        return accuracy(model, images, labels)


def judged(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per network, data set and share: what each way loses on average over the seeds, and p-values."""
    rows: list[dict[str, Any]] = []
    for net, data in dict.fromkeys((one["cell"]["net"], one["cell"]["data"]) for one in results):
        same = [one for one in results if (one["cell"]["net"], one["cell"]["data"]) == (net, data)]
        for share in SHARES:
            losses = [one["losses"][str(share)] for one in same]
            random = np.mean([each["random"] for each in losses], axis=0)
            row: dict[str, Any] = {"net": net, "data": data, "share": share}
            row["random"] = float(random.mean())
            row["random_low"], row["random_high"] = (float(np.quantile(random, q)) for q in (0.025, 0.975))
            for ranking in RANKINGS:
                lost = float(np.mean([each[ranking][0] for each in losses]))
                row[ranking] = lost
                row[f"{ranking}_p"] = (1 + int((random >= lost - 1e-9).sum())) / (1 + len(random))
            row["seeds"] = [
                {"participation": each["participation"][0], "random": float(np.mean(each["random"]))} for each in losses
            ]
            rows.append(row)
    for ranking in RANKINGS:
        for row, p in zip(rows, holm([row[f"{ranking}_p"] for row in rows]), strict=True):
            row[f"{ranking}_p_holm"] = p
    return rows


def holm(p_values: list[float]) -> Iterator[float]:
    """Return p-values corrected for their number, as Holm does."""
    order = np.argsort(p_values)
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(np.sort(p_values) * np.arange(len(p_values), 0, -1))
    return iter(np.minimum(corrected, 1).tolist())


def markdown(rows: list[dict[str, Any]], networks: list[dict[str, Any]]) -> str:
    """Return the results as text."""
    lines = [
        "Points of test accuracy lost when neurons are silenced, means of three seeds; of every layer as many each "
        "time. In brackets, 95 % of 200 random draws, and one-sided p (least possible 0.005) that as much is lost by "
        "chance, then corrected for 16 tests.",
        "",
        "| net, data | silenced | random | most life of loops (p; corrected) | mean activation (p) | weights (p) | "
        "least life of loops (p) |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        others = [f"{row[ranking]:.1f} ({row[f'{ranking}_p']:.3f})" for ranking in ("activation", "weights", "least")]
        cells = (
            f"{row['net']}, {row['data']}",
            f"{100 * row['share']:.0f} %",
            f"{row['random']:.1f} [{row['random_low']:.1f}, {row['random_high']:.1f}]",
            f"**{row['participation']:.1f}** ({row['participation_p']:.3f}; {row['participation_p_holm']:.2f})",
            *others,
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "| net, data, seed | test accuracy | hidden neurons | in no loop | life within one layer |",
        "|---|---|---|---|---|",
    ]
    for one in networks:
        cell = one["cell"]
        lines.append(
            f"| {cell['net']}, {cell['data']}, {cell['seed']} | {one['test_accuracy']:.3f} | {one['hidden_neurons']} | "
            f"{100 * one['without_a_loop']:.0f} % | {100 * one['within_one_layer']:.0f} % |"
        )
    return "\n".join(lines) + "\n"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw what is lost over how many are silenced, a panel per network and data set."""
    figure = Figure(figsize=(10, 7), layout="constrained")
    settings = list(dict.fromkeys((row["net"], row["data"]) for row in rows))
    looks = {
        "participation": {"color": "#00204d", "linestyle": "-", "marker": "o", "linewidth": 2},
        "activation": {"color": "#b2912f", "linestyle": "--", "marker": "s"},
        "weights": {"color": "#7c7b78", "linestyle": "-.", "marker": "^"},
        "least": {"color": "#575d6d", "linestyle": ":", "marker": "v"},
    }
    for (net, data), ax in zip(settings, figure.subplots(2, 2, sharex=True).ravel(), strict=True):
        chosen = [row for row in rows if (row["net"], row["data"]) == (net, data)]
        x = [100 * row["share"] for row in chosen]
        low, high = [row["random_low"] for row in chosen], [row["random_high"] for row in chosen]
        ax.fill_between(x, low, high, color="0.85", linewidth=0, label="random, 95 % of 200 draws")
        ax.plot(x, [row["random"] for row in chosen], color="0.6", linewidth=1)
        for ranking, label in RANKINGS.items():
            ax.plot(x, [row[ranking] for row in chosen], markersize=4, label=label, **looks[ranking])
        ax.set_xscale("log")
        ax.set_xticks(x, [f"{each:.0f}" for each in x])
        ax.minorticks_off()
        ax.set_title(f"{net}, {data}", fontsize=10)
        ax.spines[["top", "right"]].set_visible(False)
    for ax in figure.axes[2:]:
        ax.set_xlabel("hidden neurons silenced, %")
    for ax in figure.axes[::2]:
        ax.set_ylabel("points of test accuracy lost")
    figure.axes[0].legend(frameon=False, fontsize=8, loc="upper left")
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
