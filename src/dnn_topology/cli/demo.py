"""`demo`: the whole flow on real data, in a minute or two."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import typer

from dnn_topology.cli import options as opt
from dnn_topology.cli.steps import measure_and_leave, resources_of, train_with_progress
from dnn_topology.runs import Experiment, Topology, Training

EPOCHS = [0, 1, 2, 5, 10, 20, 30]
MIN_PERSISTENCE = 0.02


def demo(save_path: opt.SavePath = Path("demo_results"), device: opt.Device = "auto", jobs: opt.Jobs = 1) -> None:
    """Train LeNet on 4,000 real MNIST images, measure its topology at 7 epochs, and leave the pictures."""
    experiment = Experiment(Training(), save_path, None, opt.device(device))
    topology = Topology()
    train_with_progress(experiment, epochs=EPOCHS[-1], save_epochs=EPOCHS, save_every=0)
    shown = {"min_persistence": MIN_PERSISTENCE, "essential": "count", "filtration": "nominal", "smooth": False}
    paths = measure_and_leave(experiment, topology, EPOCHS, shown, drawn=EPOCHS, resources=resources_of(jobs=jobs))
    typer.echo(_findings(pd.read_csv(paths[0]), pd.read_csv(experiment.trial_folder / "history.csv")))


def _findings(topology: pd.DataFrame, history: pd.DataFrame) -> str:
    """Return, in two sentences, what was measured."""
    loops = topology[topology["dim"] == 1].set_index("epoch")
    first, last = loops.iloc[0], loops.iloc[-1]
    accuracy = history.set_index("epoch")["test_accuracy"]
    return (
        f"In the untrained network the number of loops among correlated neurons peaks at "
        f"ε {first['peak_epsilon']:.2f}; after {EPOCHS[-1]} epochs, at {100 * accuracy[EPOCHS[-1]]:.0f} % test "
        f"accuracy, it peaks at ε {last['peak_epsilon']:.2f}, that is at "
        f"{_compared(last['peak_epsilon'], first['peak_epsilon'])} distances.\n"
        f"Their midlife went from {first['midlife']:.3f} to {last['midlife']:.3f} and their life from "
        f"{first['life']:.3f} to {last['life']:.3f} (in ε, cavities that live longer than {MIN_PERSISTENCE})."
    )


def _compared(now: float, before: float) -> str:
    """Return how a distance changed, as a word."""
    return "smaller" if now < before else "larger" if now > before else "the same"
