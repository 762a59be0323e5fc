"""What commands share: settings as flags in panels, the run that is meant, what works on it, defaults from a file.

The flags are the fields of the dataclasses of the library (`TrainSettings`, `RunMeasureSettings`, …), their help the
documentation of these fields; only where a field is spelt or shown otherwise on a command line does it stand here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar, get_args, get_type_hints

from cyclopts import Group, Parameter

from dnn_topology._checks import DnnTopologyError, check_at_least, nearest
from dnn_topology.progress import say
from dnn_topology.settings import (
    CompareSettings,
    DetectSettings,
    PictureSettings,
    Resources,
    RunMeasureSettings,
    TraceSettings,
    TrainSettings,
    documented,
)
from dnn_topology.store import read_toml

if TYPE_CHECKING:
    from cyclopts import App
    from cyclopts.argument import ArgumentCollection

    from dnn_topology.runs.run import Run

Settings = TypeVar("Settings")
FIRST = Group("What most need", sort_key=0)
WHAT = Group("The network and its data", sort_key=1)
TRAINING = Group("Training", sort_key=2)
STOPPING = Group("Early stopping", sort_key=3)
TOPOLOGY = Group("What is measured", sort_key=4)
PICTURES = Group("Pictures and tables", sort_key=5)
DETECTION = Group("Detection", sort_key=5)
PLACES = Group("Places and resources", sort_key=6)
ORIGINAL = Group("Of the original", sort_key=7)
MOST_VALUES = 1000  # of one flag in a file
RESULTS = Path("results_dnn_topology")
HIDDEN = Parameter(parse=False)


def as_flags(kind: type[Settings], panel: Group, **changed: Parameter) -> tuple[Any, Settings]:
    """Return a dataclass of settings as flags of a command, in a panel of its help, and their defaults.

    Args:
        kind: The dataclass.
        panel: The panel.
        **changed: Field → how its flag differs: another panel, another name, none at all.
    """
    hints = get_type_hints(kind)
    made = [
        (
            option.name,
            Annotated[hints[option.name], changed.get(option.name, Parameter())],
            field(default=option.default),
        )
        for option in fields(kind)  # type: ignore[arg-type]
    ]
    flags = make_dataclass(kind.__name__, made, bases=(kind,), frozen=True)
    flags.__doc__, flags.__module__ = documented(kind), __name__
    return Annotated[flags, Parameter(name="*", group=panel)], flags()


def plain(flags: Settings, **changed: Any) -> Settings:
    """Return settings as the library knows them, some of them changed, from what `as_flags` made of them."""
    kind = type(flags).__bases__[0]
    made: Settings = kind(**{option.name: getattr(flags, option.name) for option in fields(kind)} | changed)
    return made


FIRST_FLAGS, OF_NETWORK = Parameter(group=FIRST), dict.fromkeys(("width", "depth", "dropout"), Parameter(group=WHAT))
_train, TRAIN = as_flags(
    TrainSettings,
    TRAINING,
    seed=HIDDEN,
    weights=HIDDEN,
    data_source=HIDDEN,
    data_digest=HIDDEN,
    **dict.fromkeys(("net", "dataset", "trial", "lr", "permute_labels"), FIRST_FLAGS),
    **OF_NETWORK,
)
_measure, MEASURE = as_flags(
    RunMeasureSettings, TOPOLOGY, **dict.fromkeys(("max_epsilon", "max_dim", "nodes"), FIRST_FLAGS)
)
_compare, COMPARE = as_flags(CompareSettings, FIRST)
_trace, TRACE = as_flags(TraceSettings, FIRST)
_pictures, DRAW = as_flags(PictureSettings, PICTURES)
_resources, SHARED = as_flags(Resources, PLACES, threads=HIDDEN, isolated=HIDDEN)
_detect, DETECT = as_flags(
    DetectSettings,
    DETECTION,
    attacks=Parameter(name="--attack"),
    strengths=Parameter(name="--strength"),
    seed=HIDDEN,
    noise=HIDDEN,
)
if TYPE_CHECKING:
    TrainFlags: TypeAlias = TrainSettings
    MeasureFlags: TypeAlias = RunMeasureSettings
    PictureFlags: TypeAlias = PictureSettings
    CompareFlags: TypeAlias = CompareSettings
    TraceFlags: TypeAlias = TraceSettings
    DetectFlags: TypeAlias = DetectSettings
    ResourceFlags: TypeAlias = Resources
else:
    TrainFlags, MeasureFlags, PictureFlags, TraceFlags = _train, _measure, _pictures, _trace
    CompareFlags, DetectFlags, ResourceFlags = _compare, _detect, _resources


@dataclass(frozen=True)
class Named:
    """Which run is meant, in the way of the original; a RUN is the shorter one.

    Attributes:
        net: Network.
        dataset: Data set.
        trial: Number of the training.
        save_path: Where results go.
    """

    net: str = TrainSettings.net
    dataset: str = TrainSettings.dataset
    trial: int = 0
    save_path: Path = RESULTS

    def open(self, folder: Path | None, machine: Machine) -> Run:
        """Return the run in a folder, or else of these names, which knows its network, data and weights."""
        from dnn_topology.runs.run import Run

        return Run.open(folder or self.folder, data_dir=machine.data_dir, device=machine.place)

    def that_left(self, checkpoint: Path, machine: Machine) -> Run:
        """Return the run of a file of weights, and say which images are taken, of any that they were trained on.

        It is the run whose folder they lie in; for weights from elsewhere, or where another network or data set is
        named, one of these names, on all images and with their own labels.
        """
        from dnn_topology.runs.run import Run

        run, usual = Run.that_left(checkpoint, data_dir=machine.data_dir, device=machine.place), Named()
        if run is not None and all(
            getattr(self, name) in {getattr(usual, name), getattr(run.training, name)} for name in ("net", "dataset")
        ):
            say(f"taking {checkpoint} for trained on the images and labels of {run.title}")
            return run
        say(f"taking {checkpoint} for trained on all of {self.dataset}, with its own labels")
        return Run(self.folder, self.training, machine.data_dir, machine.place)

    @property
    def folder(self) -> Path:
        """The folder of the run of these names."""
        from dnn_topology.runs.run import Run

        return Run.named(self.training, self.save_path).folder

    @property
    def training(self) -> TrainSettings:
        """A training of these names, as usual."""
        return TrainSettings(net=self.net, dataset=self.dataset, trial=self.trial, seed=self.trial)


@dataclass(frozen=True)
class Machine:
    """What a command may use; none of it changes a result.

    Attributes:
        data_dir: Where downloads are kept (default: the user's cache).
        device: cpu, cuda, cuda:1, mps, or auto.
        nproc: Cores to use in all (default: all there are).
        config: Take flags from a TOML file (lr = 0.01); flags given here win.
    """

    data_dir: Path | None = None
    device: str = "auto"
    nproc: int | None = None
    config: Path | None = None

    def __post_init__(self) -> None:
        if self.nproc is not None:
            check_at_least("nproc", self.nproc, 1)

    def using(self, resources: Resources) -> Resources:
        """Return what measuring may use, in processes of its own."""
        from dnn_topology.homology.engines import check_engine

        check_engine(resources.engine)
        return plain(resources, threads=self.nproc, isolated=resources.scheduler is None)

    @property
    def place(self) -> str:
        """A device that exists, "auto" being the GPU where there is one."""
        from dnn_topology.work.computer import device_named, use_threads

        use_threads(self.nproc)
        return device_named(self.device)


NamedFlags = Annotated[Named, Parameter(name="*", group=WHAT)]
MachineFlags = Annotated[Machine, Parameter(name="*", group=PLACES)]
Checkpoint = Annotated[Path | None, Parameter(group=WHAT)]
Form = Annotated[Literal["text", "md", "latex", "csv"], Parameter(name="--format", group=PICTURES)]
SavePath = Annotated[Path, Parameter(group=FIRST)]


def defaults_from_file(_app: App, _commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Take the values of flags that are not given from the TOML file that --config names.

    Keys are flags without the leading hyphens, in either spelling. One file can serve several commands: a key of
    another command is passed over.
    """
    from cyclopts import Token

    by_name = {name: one for one in arguments for name in one.names}
    named = by_name.get("--config")
    if named is None or not named.tokens:
        return
    path = Path(named.tokens[-1].value)
    for key, value in read_toml(path).items():
        flag = "--" + key.replace("_", "-")
        argument = by_name.get(flag)
        if argument is None:
            _check_known(path, key)
        elif not argument.tokens:
            if isinstance(value, list) and len(value) > MOST_VALUES:
                raise DnnTopologyError(f"{path}: {key!r} has {len(value)} values, and takes at most {MOST_VALUES}")
            for item in value if isinstance(value, list) else [value]:
                text = str(item).lower() if isinstance(item, bool) else str(item)
                argument.append(Token(keyword=flag, value=text, source=str(path)))


def whole_numbers(_app: App, _commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Refuse 1.5, 1e3 and 0x10 where a whole number is asked for; cyclopts would round them, or take another base."""
    for argument in arguments:
        types = _types(argument.hint)
        if int in types and not {float, str} & types:
            for token in argument.tokens:
                if _is_number(token.value) and not re.fullmatch(r"[+-]?\d+", token.value):
                    raise DnnTopologyError(
                        f"{argument.names[0]} takes a whole number, such as 2, found {token.value!r}"
                    )


def _types(hint: Any) -> set[Any]:
    """Return the plain types that a hint, such as `tuple[int, ...] | None`, is made of."""
    return set[Any]().union(*map(_types, get_args(hint))) if get_args(hint) else {hint}


def _is_number(text: str) -> bool:
    """Return whether a text is a number of any kind; other texts are refused where they are converted."""
    return bool(re.fullmatch(r"[+-]?(0[xob][\da-f_]+|[\d_.]+(e[+-]?\d+)?|inf|nan)", text, flags=re.IGNORECASE))


def _check_known(path: Path, key: str) -> None:
    """Check that a key is a flag of some command."""
    from dnn_topology.cli import app

    known = {
        name.replace("-", "_") for command in app if not command.startswith("-") for name in flag_names(app[command])
    }
    if key.replace("-", "_") not in known:
        raise DnnTopologyError(f"{path}: unknown setting {key!r}: {nearest(key.replace('-', '_'), known)}")


def flag_names(command: App) -> set[str]:
    """Return the names of a command's flags, without the leading hyphens."""
    if command.default_command is None:
        return set()
    arguments = command.assemble_argument_collection()
    return {name[2:] for argument in arguments for name in argument.names if name.startswith("--")}
