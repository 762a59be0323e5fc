"""The flags that commands share, and the three things that Typer lacks for the original's command lines.

* `--n_epochs_train` and `--n-epochs-train` are the same flag (a normaliser).
* `--epochs 0 1 5` takes every number that follows (`ListCommand`).
* `--config FILE.toml` gives defaults for flags, which win over it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from dnn_topology._checks import DnnTopologyError, nearest
from dnn_topology.store import readable_errors

MODEL, TRAINING, TOPOLOGY, PICTURES, PLACES, COMPATIBLE = (
    "What",
    "Training",
    "Topology",
    "Pictures",
    "Places and resources",
    "Of the original",
)
LISTS = {"--epochs", "--epochs-test", "--dim", "--formats", "--layers", "--thresholds"} | {
    "--attack",
    "--strength",
    "--detectors",
    "--batch-size",  # of `detect`, which takes several
}


def normalise(token: str) -> str:
    """Return a flag as Typer knows it: the original's underscores as hyphens."""
    return token.replace("_", "-")


class ListCommand(TyperCommand):
    """A command whose list flags take every value that follows, up to the next flag."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join the values of list flags, then parse as usual."""
        return super().parse_args(ctx, joined_lists(args))


def joined_lists(args: Sequence[str]) -> list[str]:
    """Return arguments in which the values after a list flag are one.

    Example:
        >>> joined_lists(["--net", "lenet", "--epochs", "0", "1", "5", "--dim", "1"])
        ['--net', 'lenet', '--epochs', '0 1 5', '--dim', '1']
    """
    joined: list[str] = []
    gathering = False
    for arg in args:
        if arg.startswith("-"):
            gathering = normalise(arg) in LISTS
            joined.append(arg)
        elif gathering and joined and not joined[-1].startswith("-"):
            joined[-1] += f" {arg}"
        else:
            joined.append(arg)
    return joined


def numbers(flag: str, text: str | None) -> list[int] | None:
    """Return the whole numbers of a list flag, sorted and each once.

    Args:
        flag: Its name, for the message.
        text: Numbers separated by spaces or commas, or None.

    Returns:
        The numbers, or None for None.

    Raises:
        DnnTopologyError: Something is no whole number of at least 0, or nothing is there.

    Example:
        >>> numbers("--epochs", "5 0,1 5")
        [0, 1, 5]
    """
    if text is None:
        return None
    found = text.replace(",", " ").split()
    if not found or not all(item.isdecimal() for item in found):
        raise DnnTopologyError(f"{flag} takes whole numbers such as '0 1 5', found {text!r}")
    return sorted({int(item) for item in found})


def read_config(ctx: typer.Context, path: Path | None) -> Path | None:
    """Take the defaults of a command's flags from a TOML file; a callback.

    Keys are flags without the leading hyphens, in either spelling. One file can serve several commands: a key of
    another command is passed over.

    Args:
        ctx: The command's context, whose defaults are set.
        path: The file, or None.

    Returns:
        The path.

    Raises:
        DnnTopologyError: The file is missing, is not TOML, or has a key that no command knows.
    """
    if path is None:
        return None
    with readable_errors("read", path):
        text = path.read_bytes()
    try:
        settings = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DnnTopologyError(f"{path} is not TOML: {error}") from error
    group: Any = ctx.parent.command if ctx.parent else ctx.command
    commands = getattr(group, "commands", {"": ctx.command}).values()
    known = {_python_name(opt): param.name for command in commands for param in command.params for opt in param.opts}
    for key in settings:
        if _python_name(key) not in known:
            raise DnnTopologyError(f"{path}: unknown setting {key!r}: {nearest(_python_name(key), known)}")
    ctx.default_map = {
        known[_python_name(key)]: " ".join(map(str, value)) if isinstance(value, list) else value
        for key, value in settings.items()
    }
    return path


def _python_name(flag: str) -> str:
    """Return a flag as a Python name."""
    return flag.lstrip("-").replace("-", "_")


def device(name: str) -> str:
    """Return a device that exists, "auto" being the GPU where there is one.

    Raises:
        DnnTopologyError: There is no such device here.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise DnnTopologyError(f"--device {name} cannot be used here ({reason}): use --device cpu") from error
    return name


Net = Annotated[
    str,
    typer.Option(
        help="Network: a name that `dnn-topology nets` lists, torchvision:NAME, or package.module:factory of your own.",
        rich_help_panel=MODEL,
    ),
]
Dataset = Annotated[
    str,
    typer.Option(
        help="Data set: a name that `dnn-topology datasets` lists, folder:PATH, or npz:PATH.", rich_help_panel=MODEL
    ),
]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Start from the weights in this file: a state dict, *.pt or *.safetensors.",
        rich_help_panel=MODEL,
    ),
]
Trial = Annotated[
    int, typer.Option(min=0, help="Number that tells trainings of the same kind apart.", rich_help_panel=MODEL)
]
Config = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.toml",
        is_eager=True,
        callback=read_config,
        help="Take flags from a TOML file (lr = 0.01); flags given here win.",
        rich_help_panel=PLACES,
    ),
]
SavePath = Annotated[Path, typer.Option(metavar="DIR", help="Where results go.", rich_help_panel=PLACES)]
DataDir = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where downloads are kept (default: the user's cache).", rich_help_panel=PLACES),
]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps, or auto.", rich_help_panel=PLACES)]
Nproc = Annotated[
    int | None,
    typer.Option(min=1, help="Cores to use in all (default: all there are).", rich_help_panel=PLACES),
]
Jobs = Annotated[
    int, typer.Option(min=1, help="Epochs to measure at the same time, sharing the cores.", rich_help_panel=PLACES)
]
Seed = Annotated[
    int | None,
    typer.Option(min=0, help="Seed of everything random (default: the trial's number).", rich_help_panel=TRAINING),
]
LearningRate = Annotated[float, typer.Option(help="Initial learning rate.", rich_help_panel=TRAINING)]
BatchSize = Annotated[int, typer.Option(min=1, help="Images per step.", rich_help_panel=TRAINING)]
Epochs = Annotated[int, typer.Option("--n-epochs-train", min=0, help="Last epoch.", rich_help_panel=TRAINING)]
SaveEvery = Annotated[
    int,
    typer.Option(
        min=0,
        help="Keep the weights of every so many epochs (0: only of epoch 0, the last, and those asked for).",
        rich_help_panel=TRAINING,
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on from what is there; always so.", rich_help_panel=COMPATIBLE)
]
PermuteLabels = Annotated[
    float,
    typer.Option(help="Share of the training labels that is permuted, once and for all.", rich_help_panel=TRAINING),
]
BinarizeLabels = Annotated[
    int,
    typer.Option(
        help="Set this class against an equally large sample of the others (-1: no).", rich_help_panel=TRAINING
    ),
]
DataSubset = Annotated[
    float, typer.Option(help="Share of the training images that is used, at random.", rich_help_panel=TRAINING)
]
TrainSize = Annotated[
    int,
    typer.Option(min=0, help="Number of training images that is used, at random (0: all).", rich_help_panel=TRAINING),
]
WeightDecay = Annotated[float, typer.Option(help="Pull of the weights to 0.", rich_help_panel=TRAINING)]
Width = Annotated[
    float | None,
    typer.Option(help="Multiply the widths of a small network's hidden layers.", rich_help_panel=MODEL),
]
Depth = Annotated[
    int | None, typer.Option(min=1, help="Number of a perceptron's hidden layers.", rich_help_panel=MODEL)
]
Dropout = Annotated[
    float | None, typer.Option(help="Share of a small network's units dropped in training.", rich_help_panel=MODEL)
]
MaxEpsilon = Annotated[
    float,
    typer.Option(
        help="End of the filtration: a radius, half the distance 1 - |correlation|; at most 0.5.",
        rich_help_panel=TOPOLOGY,
    ),
]
MaxDim = Annotated[
    int | None,
    typer.Option(help="Highest Betti number (default 2).", rich_help_panel=TOPOLOGY),
]
UpperDim = Annotated[
    int | None,
    typer.Option(help="The original's way to say it: --max-dim plus 1.", rich_help_panel=TOPOLOGY),
]
NodesOption = Annotated[
    str, typer.Option(help="A node is a 'unit', or a 'channel' averaged over space.", rich_help_panel=TOPOLOGY)
]
Layers = Annotated[
    str | None,
    typer.Option(
        metavar="NAME …",
        help="Layers whose outputs are nodes, or globs such as 'features.*'; `dnn-topology layers` lists them "
        "(default: the network's own).",
        rich_help_panel=TOPOLOGY,
    ),
]
Constant = Annotated[
    str,
    typer.Option(help="'drop' neurons that never change, or 'isolate' them as nodes.", rich_help_panel=TOPOLOGY),
]
GraphSplit = Annotated[
    str,
    typer.Option(
        help="Inputs of the graph: 'train', or 'test' as in the original, which then looks at test data.",
        rich_help_panel=TOPOLOGY,
    ),
]
NInputs = Annotated[
    int, typer.Option(min=2, help="Number of inputs that the graph is built from.", rich_help_panel=TOPOLOGY)
]
EngineOption = Annotated[
    str,
    typer.Option(
        help="What computes persistence ('auto' decides, `dnn-topology engines` lists); the result is the same.",
        rich_help_panel=TOPOLOGY,
    ),
]
SampleNodes = Annotated[
    int | None,
    typer.Option(
        min=1, help="Measure so many nodes that stand for all neurons (default: all).", rich_help_panel=TOPOLOGY
    ),
]
SampleMethod = Annotated[
    str,
    typer.Option(
        help="How they are chosen: 'uniform', 'importance' (strongest answers, layer by layer) or 'kmeans' centroids.",
        rich_help_panel=TOPOLOGY,
    ),
]
Bootstrap = Annotated[
    int,
    typer.Option(
        min=1,
        help="Draw the nodes so many times; bootstrap.csv then has an interval for every number.",
        rich_help_panel=TOPOLOGY,
    ),
]
DiphaPath = Annotated[
    str | None,
    typer.Option("--dipha", metavar="PATH", help="Compute with this DIPHA program.", rich_help_panel=TOPOLOGY),
]
Timeout = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="Give an epoch up after so long.", rich_help_panel=PLACES),
]
MemoryLimit = Annotated[
    float | None,
    typer.Option(
        metavar="GIB", help="Refuse what would take more (default: 80 % of what is free).", rich_help_panel=PLACES
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Say how each epoch was computed.", rich_help_panel=PLACES)]
MinPersistence = Annotated[
    float,
    typer.Option(
        help="In pictures and tables, only cavities that live longer than this (ε) count.", rich_help_panel=PICTURES
    ),
]
EssentialOption = Annotated[
    str,
    typer.Option(
        "--essential",
        help="Cavities alive at the end: 'count', 'drop' (as the original), or 'clip'.",
        rich_help_panel=PICTURES,
    ),
]
FiltrationOption = Annotated[
    str,
    typer.Option("--filtration", help="Axis of Betti curves: 'nominal' (ε) or 'density'.", rich_help_panel=PICTURES),
]
Smooth = Annotated[
    bool,
    typer.Option("--smooth", help="Smooth Betti curves as the original does.", rich_help_panel=PICTURES),
]


def highest_dim(max_dim: int | None, upper_dim: int | None) -> int:
    """Return the highest Betti number that --max-dim and the original's --upper-dim ask for.

    Raises:
        DnnTopologyError: They contradict each other.
    """
    if max_dim is not None and upper_dim is not None and upper_dim != max_dim + 1:
        raise DnnTopologyError(
            f"--upper-dim {upper_dim} counts cells and means --max-dim {upper_dim - 1}, but --max-dim is {max_dim}: "
            "give one of the two"
        )
    if upper_dim is not None:
        return upper_dim - 1
    return 2 if max_dim is None else max_dim


def engine_name(engine: str, dipha: str | None) -> str:
    """Return the engine that --engine and --dipha ask for.

    Raises:
        DnnTopologyError: They contradict each other.
    """
    if dipha is None:
        return engine
    if engine not in {"auto", "dipha"}:
        raise DnnTopologyError(f"--dipha names a program for the engine 'dipha', but --engine is {engine!r}: give one")
    return f"dipha:{dipha}"
