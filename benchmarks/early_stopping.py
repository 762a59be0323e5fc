"""Is there a good epoch to stop at, and which rule finds it? Twenty-eight trainings, every rule on each.

    python benchmarks/early_stopping.py               # train what is missing, then judge
    python benchmarks/early_stopping.py --only judge  # judge what is there

Four fifths of the training images are trained on; the last fifth is a validation split, which only the rules that need
one look at. Label noise is in both. Test accuracy judges and decides nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from stopping_runs import Run, carry_out

HERE = Path(__file__).parent
NOISE = (0.0, 0.25, 0.5, 1.0)
NETS = (("lenet", "mnist-5k"), ("lenet", "digits"), ("lenet_300_100", "mnist-5k"), ("lenet_300_100", "digits"))
SEQUENCES = (("lenet_300_100", "mnist1d"), ("conv_1d", "mnist1d"))
RUNS = [
    *(Run(net, data, noise, seed=0, train_size=1250) for net, data in (*NETS, *SEQUENCES) for noise in NOISE),
    *(Run("mlp", data, noise, seed=1, train_size=1250) for data in ("mnist-5k", "mnist1d") for noise in NOISE),
]


def main() -> None:
    """Carry out what is missing, then judge the rules."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("train", "judge"))
    parser.add_argument("--work", type=Path, default=HERE / ".work" / "stopping")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for number, run in enumerate(RUNS, 1):
        rows = carry_out(run, options.work)
        last = rows[-1]
        print(f"{number}/{len(RUNS)} {run.name}: train {last['train_accuracy']:.3f}, test {last['test_accuracy']:.3f}", flush=True)


if __name__ == "__main__":
    main()
