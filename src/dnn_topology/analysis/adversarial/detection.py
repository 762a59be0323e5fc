"""The flow of detection: detectors fitted on clean training inputs → scores of others → how well they separate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dnn_topology._calls import checked, checked_fields
from dnn_topology._checks import DnnTopologyError, check_at_least, counted, shown
from dnn_topology.analysis.adversarial import (
    NOISE,
    BatchDetector,
    Detector,
    compare_scores,
    disjoint_batches,
    fitted,
    needs_edges,
    needs_squeezed,
    needs_trees,
)
from dnn_topology.analysis.adversarial.noise import noisy_inputs
from dnn_topology.analysis.adversarial.observation import Observation, joined, observe
from dnn_topology.analysis.adversarial.pixels import Normalised, Numbers, scaling
from dnn_topology.analysis.adversarial.squeezing import squeezed_inputs
from dnn_topology.graphs.checks import real_array

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from numpy.typing import NDArray
    from torch import nn

# The two best of benchmarks/adversarial.py on the networks that it chooses on, and the baseline beside them.
DEFAULT = ("squeeze-bit", "penultimate", "softmax")
KINDS = ("clean", "noise", "l2noise", "shuffled", "adversarial")
NEEDED = ("clean", "noise", "adversarial")
NEGATIVES = ("clean", "noise", "l2noise", "shuffled")  # what is to be told from the adversarial inputs
PAIRS = (*((negative, "adversarial") for negative in NEGATIVES), ("clean", "noise"), ("clean", "shuffled"))
BATCH = "batch of "  # start of the name of a detector of batches, before its size


@checked_fields
@dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """How suspicious some inputs are, higher being more.

    Attributes:
        single: Detector → (n,), one score per input.
        batches: Batch size → (n_batches,), one score per batch of them.
        curves: Batch size → (n_batches, n_scales): the batches' Betti curves.
    """

    single: Mapping[str, NDArray[np.float64]]
    batches: Mapping[int, NDArray[np.float64]]
    curves: Mapping[int, NDArray[np.float64]]

    def __repr__(self) -> str:
        """Return by what, and how many inputs and batches were judged."""
        single = [f"{name}: {counted(len(scores), 'input')}" for name, scores in self.single.items()]
        return f"Scores({', '.join(single + [f'{BATCH}{size}: {len(one)}' for size, one in self.batches.items()])})"

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return everything as named arrays, for a file."""
        named: dict[str, Mapping[Any, NDArray[np.float64]]] = {
            "single": self.single,
            "batches": self.batches,
            "curves": self.curves,
        }
        return {f"{kind}/{name}": values for kind, scores in named.items() for name, values in scores.items()}

    @classmethod
    @checked
    def of_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> Scores:
        """Return what `arrays` returned as scores again, arrays of other names being passed over.

        Raises:
            DnnTopologyError: A name or an array is of another kind.
        """
        by_kind: dict[str, dict[str, NDArray[np.float64]]] = {"single": {}, "batches": {}, "curves": {}}
        name: Any  # of whatever type a caller has given
        for name, values in arrays.items():
            kind, _, which = name.partition("/") if isinstance(name, str) else ("", "", "")
            if isinstance(name, str) and kind not in by_kind:
                continue  # a file holds others beside them
            if not which or (kind != "single" and not which.isdecimal()):
                raise DnnTopologyError(
                    f"arrays must be named as `Scores.arrays` names them, 'single/softmax' or 'batches/100', found "
                    f"{shown(name)}"
                )
            by_kind[kind][which] = real_array(f"arrays[{name!r}]", values).astype(np.float64, copy=False)
        sized = [{int(size): values for size, values in by_kind[kind].items()} for kind in ("batches", "curves")]
        return cls(by_kind["single"], *sized)


@checked_fields
@dataclass(frozen=True, eq=False, repr=False)
class FittedDetectors:
    """A network with detectors that know what is usual for it.

    Attributes:
        model: The network.
        detectors: Name → fitted detector.
        batch_detectors: Batch size → fitted detector.
        layers: Of the nodes; see `record`.
        device: Where to run.
        input_shape: Of one input that they were fitted on: inputs of another are refused. Empty: any.
        scaled: What was subtracted from the pixels, and by what they were divided, (1, channels, 1, 1) each; None where
            no detector squeezes them.
        signal_layers: The layers whose signals are looked at, in their order, the output last.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> ready = fit_detectors(model, torch.rand(60, 1, 4, 4), detectors=["softmax"], batch_sizes=[20])
        >>> scores = ready.score(torch.rand(40, 1, 4, 4))
        >>> scores.single["softmax"].shape, scores.batches[20].shape
        ((40,), (2,))
    """

    model: nn.Module
    detectors: Mapping[str, Detector]
    batch_detectors: Mapping[int, BatchDetector]
    layers: Sequence[str] | None = None
    device: str | None = None
    input_shape: tuple[int, ...] = ()
    scaled: tuple[torch.Tensor, torch.Tensor] | None = None
    signal_layers: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Return the names of the detectors and the inputs that they take."""
        names = [*self.detectors, *(f"{BATCH}{size}" for size in self.batch_detectors)]
        shape = f"; inputs {self.input_shape}" if self.input_shape else ""
        return f"FittedDetectors({', '.join(names)}; {type(self.model).__name__}{shape})"

    @checked
    def observe(self, inputs: torch.Tensor) -> Observation:
        """Return what the network does with inputs, as far as the detectors look at it.

        Raises:
            DnnTopologyError: They have another shape than those that the detectors were fitted on.
        """
        if self.input_shape and tuple(inputs.shape[1:]) != self.input_shape:
            raise DnnTopologyError(
                f"the detectors were fitted on inputs of shape {self.input_shape}, found {tuple(inputs.shape[1:])}: "
                "bring them into the form of the training inputs"
            )
        return _observed(self.model, inputs, self.detectors, self.scaled, layers=self.layers, device=self.device)

    @checked
    def score(self, inputs: torch.Tensor) -> Scores:
        """Return how suspicious inputs (n, channels, height, width) are.

        The inputs are parted at random into as many batches of each size as there are, of which no two share an input,
        so that they are independent; how depends on n alone, so that clean inputs and what became of them are judged in
        the same batches. A size beyond n has no batch.
        """
        seen = self.observe(inputs)
        single = {name: one.score(seen) for name, one in self.detectors.items()}
        curves = {
            size: one.curves(seen.activations.values[places] for places in disjoint_batches(len(seen), size=size))
            for size, one in self.batch_detectors.items()
            if size <= len(seen)
        }
        return Scores(
            single, {size: self.batch_detectors[size].score_curves(curve) for size, curve in curves.items()}, curves
        )


@checked
def fit_detectors(
    model: nn.Module,
    clean: torch.Tensor,
    *,
    detectors: Sequence[str] = DEFAULT,
    batch_sizes: Sequence[int] = (),
    noise: float = 0.35,
    data: Normalised | None = None,
    mean: Numbers | None = None,
    std: Numbers | None = None,
    layers: Sequence[str] | None = None,
    seed: int = 0,
    device: str | None = None,
) -> FittedDetectors:
    """Fit detectors of adversarial inputs on clean training inputs. No adversarial input is looked at.

    Args:
        model: Gives logits or log-probabilities (n, n_classes).
        clean: (n, channels, height, width), as the network takes them: training inputs.
        detectors: Names; see `analysis.adversarial.detectors`. What ends in "+noise" is fitted on the clean inputs
            together with noisy ones, so that noise counts as usual.
        batch_sizes: A detector of batches is fitted for each of these sizes.
        noise: How strong that noise is at most; see `noisy_inputs`.
        data: The data set that the inputs come from, which knows how they were normalised; needed where noise is, and
            by squeezing.
        mean: Instead of `data`, what was subtracted from the pixels; 0.
        std: By what they were divided; 1.
        layers: Of the nodes; see `record`.
        seed: Of the noise and of the draws of batches.
        device: Where to run; by default where the model is.

    Returns:
        The network with its detectors.

    Raises:
        DnnTopologyError: A name is unknown, a size too large, or there are too few inputs.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> fitted_detectors = fit_detectors(model, torch.rand(60, 1, 4, 4), detectors=["softmax", "profile+noise"])
        >>> {name: scores.shape for name, scores in fitted_detectors.score(torch.rand(5, 1, 4, 4)).single.items()}
        {'softmax': (5,), 'profile+noise': (5,)}
    """
    detectors, batch_sizes = tuple(detectors), tuple(batch_sizes)
    check_at_least("noise", noise, 0)
    if not detectors and not batch_sizes:
        raise DnnTopologyError("no detector: name at least one, or a batch size")
    scaled = scaling(clean, data, mean, std) if needs_squeezed(detectors) else None
    usual = _observed(model, clean, detectors, scaled, layers=layers, device=device)
    shaken = usual
    if any(name.endswith(NOISE) for name in detectors):
        noisy = noisy_inputs(clean, strength=noise, data=data, mean=mean, std=std, seed=seed)
        shaken = joined([usual, _observed(model, noisy, detectors, scaled, layers=layers, device=device)])
    single = {name: fitted(name, shaken if name.endswith(NOISE) else usual) for name in detectors}
    batches = {size: BatchDetector(batch_size=size, seed=seed).fit(usual.activations.values) for size in batch_sizes}
    heard = tuple(usual.activations.neurons["layer"].cat.categories)
    return FittedDetectors(model, single, batches, layers, device, tuple(clean.shape[1:]), scaled, heard)


def _observed(
    model: nn.Module,
    inputs: torch.Tensor,
    names: Iterable[str],
    scaled: tuple[torch.Tensor, torch.Tensor] | None,
    *,
    layers: Sequence[str] | None,
    device: str | None,
) -> Observation:
    """Return what a network does with inputs, as far as detectors of some names look at it."""
    names = [*names]
    squeezed = None if scaled is None else squeezed_inputs(inputs, scaled)
    looking: dict[str, Any] = {"trees": needs_trees(names), "edges": needs_edges(names), "squeezed": squeezed}
    return observe(model, inputs, layers=layers, device=device, **looking)


@checked
def compare_detectors(
    scores: Mapping[str, Scores], *, fooled: NDArray[np.bool_] | None = None, resamples: int = 500, seed: int = 0
) -> pd.DataFrame:
    """Return how well each detector tells clean, noisy and adversarial inputs apart.

    Args:
        scores: "clean", "noise" and "adversarial", and where there are any "l2noise" and "shuffled" → the scores of the
            same inputs, in the same order.
        fooled: (n,): on which of them the attack had success; they get rows of their own.
        resamples: Bootstrap samples that the intervals come from.
        seed: Of the bootstrap.

    Returns:
        One row per detector, pair of kinds and choice of inputs: `detector`, `negative`, `positive`, `inputs` ("all"
        or "fooled") and what `compare_scores` found.

    Raises:
        DnnTopologyError: A kind is missing.

    Example:
        >>> def drawn(shift):
        ...     return Scores({"mine": np.arange(20.0) + shift}, {}, {})
        >>> table = compare_detectors({"clean": drawn(0), "noise": drawn(0), "adversarial": drawn(100)}, resamples=10)
        >>> table[["negative", "positive", "auroc"]].round(2).to_numpy().tolist()
        [['clean', 'adversarial', 1.0], ['noise', 'adversarial', 1.0], ['clean', 'noise', 0.5]]
    """
    import pandas as pd

    missing = set(NEEDED) - set(scores)
    if missing:
        raise DnnTopologyError(
            f"scores of {', '.join(NEEDED)} inputs are compared; missing: {', '.join(sorted(missing))}"
        )
    if fooled is not None:
        fooled = real_array("fooled", fooled)
    n_inputs = {len(values) for one in scores.values() for values in one.single.values()}
    if fooled is not None and (np.asarray(fooled).dtype != bool or {np.shape(fooled)} != {(n,) for n in n_inputs}):
        raise DnnTopologyError(f"fooled must be one truth value for each of the inputs, found {shown(fooled)}")
    kinds = [kind for kind in KINDS if kind in scores]
    rows: list[dict[str, Any]] = []

    def compare(detector: str, kind: str, of_kinds: Mapping[str, NDArray[np.float64]]) -> None:
        for negative, positive in (pair for pair in PAIRS if {*pair} <= {*of_kinds}):
            both = of_kinds[negative], of_kinds[positive]
            one = compare_scores(*both, paired=len(both[0]) == len(both[1]), resamples=resamples, seed=seed)
            rows.append(
                {"detector": detector, "negative": negative, "positive": positive, "inputs": kind, **asdict(one)}
            )

    for name in scores["clean"].single:
        by_kind = {kind: scores[kind].single[name] for kind in kinds}
        compare(name, "all", by_kind)
        if fooled is not None and np.any(fooled):
            compare(name, "fooled", {kind: values[np.asarray(fooled)] for kind, values in by_kind.items()})
    for size in scores["clean"].batches:
        compare(f"{BATCH}{size}", "all", {kind: scores[kind].batches[size] for kind in kinds})
    return pd.DataFrame(rows)
