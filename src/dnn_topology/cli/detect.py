"""`detect`: how well adversarial inputs of a network are told from others, or how suspicious some inputs are."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import numpy as np
import pandas as pd
import typer

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError, check_choice
from dnn_topology.cli import options as opt
from dnn_topology.cli.lists import print_table
from dnn_topology.cli.progress import progress
from dnn_topology.cli.steps import opened
from dnn_topology.runs import Experiment, Training, check_trained, file_digest, use_threads

if TYPE_CHECKING:
    import torch

    from dnn_topology.nets.data import DataSet
    from dnn_topology.runs.detecting import Detecting, Detection, Results

DETECTION = "Detection"
PAIRS = (("clean", "adversarial"), ("noise", "adversarial"), ("clean", "noise"))
PIXELS = "x"  # name of the array of one's own inputs


def detect(
    net: opt.Net = "lenet",
    dataset: opt.Dataset = "mnist-5k",
    trial: opt.Trial = 0,
    epoch: Annotated[
        int | None,
        typer.Option(min=0, help="Which checkpoint of the run (default: the last).", rich_help_panel=opt.MODEL),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Judge these weights instead of a run's.", rich_help_panel=opt.MODEL),
    ] = None,
    inputs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.npz",
            help="Attack nothing: score your own images, an array x (n, channels, height, width), uint8 or in [0, 1].",
            rich_help_panel=opt.MODEL,
        ),
    ] = None,
    attack: Annotated[
        str, typer.Option(metavar="NAME …", help="fgsm, pgd, deepfool, deepfool-linf.", rich_help_panel=DETECTION)
    ] = "fgsm pgd deepfool",
    strength: Annotated[
        str,
        typer.Option(
            metavar="S …",
            help="Largest change of a pixel in [0, 1], of fgsm and pgd; deepfool changes as much as need be.",
            rich_help_panel=DETECTION,
        ),
    ] = "0.05 0.1 0.2 0.3",
    detectors: Annotated[
        str | None,
        typer.Option(
            metavar="NAME …",
            help="Detectors of single inputs: softmax, entropy, inputs, penultimate, activations, sample-graph, "
            "uncertainty, profile; +noise after the last five but sample-graph counts noise as usual.",
            rich_help_panel=DETECTION,
        ),
    ] = None,
    batch_size: Annotated[
        str,
        typer.Option(
            metavar="N …",
            help="Sizes of the batches whose Betti curves are judged (0: none).",
            rich_help_panel=DETECTION,
        ),
    ] = "50",
    n_inputs: Annotated[
        int,
        typer.Option(min=2, help="Test images to judge, that the network is right about.", rich_help_panel=DETECTION),
    ] = 300,
    n_fit: Annotated[
        int, typer.Option(min=20, help="Clean training images to fit on.", rich_help_panel=DETECTION)
    ] = 1000,
    layers: opt.Layers = None,
    seed: opt.Seed = None,
    save_path: opt.SavePath = Path("results_dnn_topology"),
    data_dir: opt.DataDir = None,
    device: opt.Device = "auto",
    nproc: opt.Nproc = None,
    config: opt.Config = None,  # noqa: ARG001  # read by its callback
) -> None:
    """Fit detectors on clean training images, attack test images, and say how well the two are told apart.

    Test images serve as the inputs to be judged, never to fit. Beside every attack stands random noise of the same
    size: a detector that takes noise for an attack sees that an input was changed, not that it is adversarial.
    Stopped and run again, it goes on with the attacks that are missing.
    """
    asked = _asked(attack, strength, detectors, batch_size, n_inputs, n_fit, layers, trial if seed is None else seed)
    use_threads(nproc)
    place = opt.device(device)
    experiment = Experiment(Training(net=net, dataset=dataset, trial=trial), save_path, data_dir, place)
    detecting, data = _opened(experiment, checkpoint, epoch, asked)
    if inputs is not None:
        path = _score_own(detecting, _own_inputs(inputs, data), detecting.folder / f"scores_{inputs.stem}.csv")
        typer.echo(path)
        return
    missing = detecting.missing()
    if missing:
        seconds = detecting.estimate()
        typer.echo(
            f"{len(missing)} attacks on {len(detecting.judged[0])} test images: about {_long(seconds)}", err=True
        )
    with progress("detect", total=len(asked.cells), done=len(asked.cells) - len(missing)) as step:
        results = detecting.run(step)
    _leave(results, detecting.folder)


def _asked(
    attack: str,
    strength: str,
    detectors: str | None,
    batch_size: str,
    n_inputs: int,
    n_fit: int,
    layers: str | None,
    seed: int,
) -> Detection:
    """Return what the flags ask for, checked before any work starts.

    Raises:
        DnnTopologyError: A name is unknown, or a number is none.
    """
    from dnn_topology.analysis.adversarial import NAMES
    from dnn_topology.analysis.adversarial.attacks import ATTACKS
    from dnn_topology.analysis.adversarial.detection import DEFAULT
    from dnn_topology.runs.detecting import Detection

    names = DEFAULT if detectors is None else tuple(dict.fromkeys(_words(detectors)))
    attacks = tuple(dict.fromkeys(_words(attack)))
    for name in names:
        check_choice("detector", name, NAMES)
    for name in attacks:
        check_choice("attack", name, ATTACKS)
    sizes = tuple(size for size in opt.numbers("--batch-size", batch_size) or [] if size)
    return Detection(
        attacks=attacks,
        strengths=_strengths(strength),
        detectors=names,
        batch_sizes=sizes,
        n_inputs=n_inputs,
        n_fit=n_fit,
        seed=seed,
        layers=None if layers is None else tuple(_words(layers)),
    )


def _strengths(text: str) -> tuple[float, ...]:
    """Return the numbers of --strength, rising and each once.

    Raises:
        DnnTopologyError: One is no number in [0, 1].
    """
    try:
        found = sorted({float(word) for word in _words(text)})
    except ValueError as error:
        raise DnnTopologyError(f"--strength takes numbers such as '0.05 0.1', found {text!r}") from error
    if not all(0 <= each <= 1 for each in found):
        raise DnnTopologyError(f"--strength is a change of pixels in [0, 1], found {text!r}")
    return tuple(found)


def _words(text: str) -> list[str]:
    """Return the words of a list flag."""
    return text.replace(",", " ").split()


def _opened(
    experiment: Experiment, checkpoint: Path | None, epoch: int | None, asked: Detection
) -> tuple[Detecting, DataSet]:
    """Return the detection of a run's network, or of a file's, and its data.

    Raises:
        DnnTopologyError: There is no such network.
    """
    from dnn_topology.recording.state_dicts import load_weights
    from dnn_topology.runs.detecting import Detecting

    if checkpoint is None:
        experiment = opened(experiment)
        number = check_trained(experiment, None if epoch is None else [epoch])[-1]
        weights, folder = experiment.checkpoint(number), experiment.trial_folder / "detection" / f"epoch{number}"
    elif epoch is not None:
        raise DnnTopologyError("--checkpoint names the weights, and --epoch a run's: give one of the two")
    else:
        weights, folder = checkpoint, experiment.folder / f"detection_{file_digest(checkpoint)}"
    data = experiment.load_data()
    model = experiment.build_net(data)
    load_weights(weights, model)
    about = {**asdict(experiment.training), "weights": file_digest(weights)}
    return Detecting(model, data, asked, folder, about=about, device=experiment.device), data


def _own_inputs(path: Path, data: DataSet) -> torch.Tensor:
    """Return a file's images in the form that the network expects.

    Raises:
        DnnTopologyError: The file holds none, or their values are no pixels.
    """
    import torch

    arrays = store.read_arrays(path)
    images = arrays.get(PIXELS, np.empty(0))
    if images.ndim != 4 or not len(images):
        found = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "nothing"
        raise DnnTopologyError(f"{path} must hold images as {PIXELS} (n, channels, height, width), found {found}")
    if images.dtype != np.uint8:
        if not (np.issubdtype(images.dtype, np.floating) and images.min() >= 0 and images.max() <= 1):
            raise DnnTopologyError(
                f"{path}: pixels must be uint8, or floating-point in [0, 1]; found {images.dtype} from "
                f"{images.min():g} to {images.max():g}"
            )
        images = images.astype(np.float32)
    form = getattr(data.train, "form", None)
    found_images = torch.from_numpy(images)
    return found_images.float() if form is None else cast("torch.Tensor", form.fit(found_images))


def _score_own(detecting: Detecting, images: torch.Tensor, path: Path) -> Path:
    """Write how suspicious each image is, and return where."""
    seen = detecting.watch.observe(images)
    scores = {name: one.score(seen) for name, one in detecting.watch.detectors.items()}
    store.write_table(path, pd.DataFrame({"place": range(len(seen)), "predicted": seen.predicted, **scores}))
    return path


def _leave(results: Results, folder: Path) -> None:
    """Write the tables and the pictures, print what matters most, and say where everything is."""
    table, attacks = results.table(), results.attacks()
    paths = {"detection.csv": table, "attacks.csv": attacks, "scores.csv": results.by_input()}
    for name, content in paths.items():
        store.write_table(folder / name, content)
    found: dict[str, Any] = {
        "settings": store.read_json(folder / "settings.json"),
        "attacks": attacks,
        "detection": table,
    }
    # through pandas, whose missing strength is null
    rows = {
        key: json.loads(each.to_json(orient="records")) for key, each in found.items() if not isinstance(each, dict)
    }
    store.write_json(folder / "detection.json", {**found, **rows})
    _print(table, attacks)
    for path in [*(folder / name for name in paths), folder / "detection.json", *_draw(results, folder)]:
        typer.echo(path)


def _draw(results: Results, folder: Path) -> list[Path]:
    """Draw the ROC curves, and the Betti curves of the largest batches, of every attack at its strongest."""
    from dnn_topology.runs.detecting import cell_name
    from dnn_topology.show.detection import plot_batch_curves, plot_roc
    from dnn_topology.show.report import save_figure

    paths = []
    strongest = {method: (method, strength) for method, strength in results.cells}
    for cell in strongest.values():
        scores = results.scores(cell)
        for negative in ("clean", "noise"):
            pairs = {
                name: (values, scores["adversarial"].single[name]) for name, values in scores[negative].single.items()
            }
            if pairs:
                ax = plot_roc(pairs)
                ax.set_title(f"{negative} against {cell_name(cell).replace('_', ' ')}", fontsize=10)
                paths += save_figure(ax, folder / f"roc_{cell_name(cell)}_{negative}", formats=["png"])
        for size in [*scores["clean"].curves][-1:]:
            curves = {kind: found.curves[size] for kind, found in scores.items()}
            ax = plot_batch_curves(curves, results.clean[f"scales/{size}"])
            ax.set_title(f"batches of {size}, {cell_name(cell).replace('_', ' ')}", fontsize=10)
            paths += save_figure(ax, folder / f"betti_curves_{cell_name(cell)}", formats=["png"])
    return paths


def _print(table: pd.DataFrame, attacks: pd.DataFrame) -> None:
    """Print AUROC and false alarms of every detector and attack, over all judged inputs."""
    fooled = [f"{share:.0%}" for share in attacks["fooled"]]
    shown = [
        (name, "" if pd.isna(size) else f"{size:g}")
        for name, size in zip(attacks["attack"], attacks["strength"], strict=True)
    ]
    n_detectors = table["detector"].nunique()
    pairs = {
        pair: table[(table["inputs"] == "all") & (table["negative"] == pair[0]) & (table["positive"] == pair[1])]
        for pair in PAIRS
    }
    first = pairs["clean", "adversarial"]
    # every attack has a row for each detector, in the same order
    about = [
        (*cell, share, detector)
        for place, (cell, share) in enumerate(zip(shown, fooled, strict=True))
        for detector in first["detector"].iloc[place * n_detectors : (place + 1) * n_detectors]
    ]
    columns = [
        _intervals(first, "auroc"),
        _intervals(first, "fpr95"),
        _intervals(pairs["noise", "adversarial"], "auroc"),
        _intervals(pairs["clean", "noise"], "auroc"),
    ]
    header = ("attack", "strength", "fooled", "detector", "AUROC clean/adversarial", "FPR at 95 %")
    print_table(
        (*header, "AUROC noise/adversarial", "AUROC clean/noise"),
        [(*line, *numbers) for line, *numbers in zip(about, *columns, strict=True)],
    )


def _intervals(rows: pd.DataFrame, name: str) -> list[str]:
    """Return a number of each row with its interval, as text."""
    ends = zip(rows[name], rows[f"{name}_low"], rows[f"{name}_high"], strict=True)
    return [f"{value:.3f} [{low:.2f}, {high:.2f}]" for value, low, high in ends]


def _long(seconds: float) -> str:
    """Return a duration as text."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
