"""Which networks benchmarks/gap.py trains: drawn once, written to grids gap….toml, never changed since.

    python benchmarks/gap_design.py

Of the first file everything was chosen; the others were trained afterwards, with other seeds. The second holds a data
set (CIFAR-10) and an architecture (`residual`) of which the first has none; the third two data sets and five
architectures of which the first two have none, and nothing else; the fourth two data sets and six architectures of
which the first three have none, and nothing else. The fifth has twelve networks of every data set, two of these new,
of architectures at random among all that take its inputs, four of these new.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
IMAGES = ("npz:gap_data/mnist.npz", "npz:gap_data/fashion.npz", "npz:gap_data/usps.npz", "digits")
NEW_DATA, NEW_NET = "npz:gap_data/cifar10.npz", "gap_nets:residual"
SEQUENCES = ("mlp", "lenet_300_100", "conv_1d", "gap_nets:tanh_mlp")  # nets for any shape
NETS = (*SEQUENCES, "lenet", "lenetext", "conv_2", "gap_nets:bn_cnn")
NEWER_DATA = ("npz:gap_data/satellite.npz", "npz:gap_data/letters.npz")  # images, and rows of numbers
NEWER_NETS = tuple(f"gap_nets:{name}" for name in ("separable", "wide_shallow", "mixer", "vit", "row_gru"))
LATEST_DATA = ("npz:gap_data/spam.npz", "npz:gap_data/dna.npz")  # rows of numbers, and sequences of three channels
LATEST_NETS = tuple(
    f"gap_nets:{name}" for name in ("convmixer", "excited", "dense", "column_lstm", "gated_mlp", "dilated")
)
LAST_DATA = ("npz:gap_data/segment.npz", "npz:gap_data/cells.npz")  # rows of numbers
LAST_NETS = tuple(f"gap_nets:{name}" for name in ("inception", "maxout", "highway", "pyramid"))
PER_DATA = 12  # networks of a data set in the fifth
FOR_ROWS = (*SEQUENCES, *NEWER_NETS)  # architectures of earlier networks that were trained on rows of numbers
WITH_DROPOUT = ("mlp", "lenet_300_100", "conv_1d", "lenet", "lenetext")
SIZES, PERMUTED, RATES, DECAYS = (300, 600, 1200), (0.0, 0.2, 0.5), (0.02, 0.05), (5e-4, 1e-2)
MEASURED = """
[topology]
max_epsilon = 0.4
max_dim = 1
nodes = "channel"
n_inputs = 250
draws = 2
"""


def main() -> None:
    """Draw the networks and write the files."""
    rng = np.random.default_rng(0)
    pairs = [(data, net) for data in IMAGES for net in NETS]
    sequences = [("mnist1d", net) for net in SEQUENCES]
    chosen = [*pairs * 2, *sequences * 5]
    known = [(pairs + sequences)[place] for place in rng.permutation(len(pairs) + len(sequences))[:14]]
    unseen = [*[(NEW_DATA, net) for net in (*NETS, NEW_NET)] * 2, *[(data, NEW_NET) for data in IMAGES] * 3]
    for name, networks, seed in (("gap", chosen, 0), ("gap_judged", [*known, *unseen], 1000)):
        _write(name, networks, seed, rng)
    _write("gap_judged_2", _newer(), 2000, np.random.default_rng(2))
    latest = np.random.default_rng(3)
    _write("gap_judged_3", _latest(latest), 3000, latest)
    last = np.random.default_rng(4)
    _write("gap_judged_4", _last(last), 4000, last)


def _newer() -> list[tuple[str, str]]:
    """Return the networks of the second round: new architectures everywhere, and known ones on new data sets."""
    satellite, letters = NEWER_DATA
    new = [(data, net) for net in NEWER_NETS for data in (*IMAGES, NEW_DATA, "mnist1d", *NEWER_DATA)]
    return [*new, *[(satellite, net) for net in (*NETS, NEW_NET)], *[(letters, net) for net in SEQUENCES] * 2]


def _latest(rng: np.random.Generator) -> list[tuple[str, str]]:
    """Return the networks of the third round: new architectures on some of all data sets, known ones on new ones."""
    earlier = (*IMAGES, NEW_DATA, "mnist1d", *NEWER_DATA)
    drawn = [(earlier[place], net) for net in LATEST_NETS for place in rng.permutation(len(earlier))[:4]]
    both = [(data, net) for net in LATEST_NETS for data in LATEST_DATA]
    known = [(data, FOR_ROWS[place]) for data in LATEST_DATA for place in rng.permutation(len(FOR_ROWS))[:6]]
    return [*drawn, *both, *known]


def _last(rng: np.random.Generator) -> list[tuple[str, str]]:
    """Return the networks of the fourth round: as many of every data set, of architectures known and new."""
    images, rows = (*IMAGES, NEW_DATA, NEWER_DATA[0]), ("mnist1d", NEWER_DATA[1], *LATEST_DATA, *LAST_DATA)
    for_all = (*FOR_ROWS, *LATEST_NETS, *LAST_NETS)
    fitting = {data: (*NETS[len(SEQUENCES) :], NEW_NET, *for_all) for data in images} | dict.fromkeys(rows, for_all)
    return [(data, nets[place]) for data, nets in fitting.items() for place in rng.permutation(len(nets))[:PER_DATA]]


def _write(name: str, networks: list[tuple[str, str]], seed: int, rng: np.random.Generator) -> None:
    """Write a grid of networks, given as (data set, architecture), in random order."""
    lines = [_line(*network, rng, seed + number) for number, network in enumerate(networks)]
    lines = [lines[place] for place in rng.permutation(len(lines))]
    head = f"# {len(lines)} networks of benchmarks/gap.py, made by gap_design.py; in random order\n"
    (HERE / f"{name}.toml").write_text(f"{head}grid = [\n{''.join(lines)}]\n{MEASURED}")


def _line(data: str, net: str, rng: np.random.Generator, seed: int) -> str:
    """Return a network with settings at random, as a line of TOML."""
    settings: dict[str, Any] = {"net": net, "dataset": data, "train_size": _one(rng, SIZES)}
    settings |= {"permute_labels": _one(rng, PERMUTED), "lr": _one(rng, RATES), "weight_decay": _one(rng, DECAYS)}
    if net in WITH_DROPOUT:
        settings["dropout"] = _one(rng, (0.0, 0.5))
    if net == "mlp":
        settings |= {"depth": _one(rng, (1, 4)), "width": _one(rng, (0.5, 2.0))}
    if net == "conv_2":
        settings["width"] = 0.125
    settings |= {"batch_size": 32, "epochs": 20, "seed": seed}
    words = [f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}" for key, value in settings.items()]
    return f"  {{ {', '.join(words)} }},\n"


def _one(rng: np.random.Generator, values: tuple[Any, ...]) -> Any:
    """Return one of several values."""
    return values[int(rng.integers(len(values)))]


if __name__ == "__main__":
    main()
