"""`detect`: how well adversarial inputs of a network are told from others, or how suspicious some inputs are."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dnn_topology._checks import DnnTopologyError
from dnn_topology.cli import options as opt
from dnn_topology.progress import answer, print_table, progress, say
from dnn_topology.settings import DetectSettings
from dnn_topology.store import digest_of

if TYPE_CHECKING:
    from dnn_topology.nets.data import DataSet
    from dnn_topology.runs.detecting import Detection


def detect(
    run: Path | None = None,
    /,
    *,
    named: opt.NamedFlags = opt.Named(),  # noqa: B008  # frozen
    epoch: Annotated[int | None, Parameter(group=opt.FIRST)] = None,
    checkpoint: opt.Checkpoint = None,
    inputs: Annotated[Path | None, Parameter(group=opt.FIRST)] = None,
    settings: opt.DetectFlags = opt.DETECT,
    seed: Annotated[int | None, Parameter(group=opt.DETECTION)] = None,
    machine: opt.MachineFlags = opt.Machine(),  # noqa: B008  # frozen
    form: opt.Form = "text",
) -> None:
    """Fit detectors on clean training images, attack test images, and say how well the two are told apart.

    Test images serve as the inputs to be judged, never to fit. Beside every attack stands random noise of the same
    size: a detector that takes noise for an attack sees that an input was changed, not that it is adversarial.
    Stopped and run again, it goes on with the attacks that are missing.

    Args:
        run: The folder of a run, trial0, that `run`, `train` or a study left.
        epoch: Which checkpoint of the run (default: the last).
        checkpoint: Judge these weights instead: of a run, on its images, or of a network --net trained on --dataset.
        inputs: Attack nothing: score your own images, an npz with an array x (n, channels, height, width), uint8 or
            in [0, 1].
        seed: Seed of every draw (default: the trial's number).
        form: Print the table as text, md, latex or csv.
    """
    from dnn_topology.homology.engines.estimate import duration
    from dnn_topology.nets.data.own_images import read_own_images
    from dnn_topology.runs.detecting import write_detection

    plain = opt.plain(settings)
    asked = replace(
        plain,
        batch_sizes=tuple(size for size in plain.batch_sizes if size),
        seed=named.trial if seed is None else seed,
    )
    detection, data = _opened(run, named, checkpoint, epoch, asked, machine)
    if inputs is not None:
        path = detection.folder / f"scores_{inputs.stem}.csv"
        detection.score_own(read_own_images(inputs, data), path)
        answer(path)
        return
    detection.check_possible()
    missing = detection.missing
    if missing:
        n_judged, time = len(detection.experiment.judged[0]), duration(detection.estimate())
        say(f"{len(missing)} attacks on {n_judged} test images: about {time}")
    total = len(asked.all_attacks)
    with progress("detect", total=total, done=total - len(missing)) as step:
        results = detection.run(step)
    paths = write_detection(results, detection.folder)
    print_table(results.report(), form)
    answer(*paths)


def _opened(
    folder: Path | None,
    named: opt.Named,
    checkpoint: Path | None,
    epoch: int | None,
    asked: DetectSettings,
    machine: opt.Machine,
) -> tuple[Detection, DataSet]:
    """Return the detection of a run's network, or of a file's, and its data."""
    from dnn_topology.runs.detecting import Detection
    from dnn_topology.runs.run import Run

    if checkpoint is None:
        run = named.open(folder, machine)
        number = run.trained(None if epoch is None else [epoch])[-1]
        weights, where = run.checkpoint(number), run.folder / "detection" / f"epoch{number}"
    elif epoch is not None or folder is not None:
        raise DnnTopologyError("--checkpoint names the weights, and RUN or --epoch a run's: give one of the two")
    else:
        run, weights = named.that_left(checkpoint, machine), checkpoint
        home = Run.named(run.training, named.save_path).original_folder
        where = home / f"detection_{digest_of(checkpoint)}"
    net, data = run.load_net(weights), run.load_data()
    about = {**asdict(run.training), "weights": digest_of(weights)}
    return Detection(net, data, asked, where, about=about, device=run.device), data
