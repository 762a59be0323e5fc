"""Which attacks are made, and which detectors judge them."""

from __future__ import annotations

from dataclasses import dataclass

from dnn_topology._checks import DnnTopologyError, check_at_least, check_types


@dataclass(frozen=True)
class DetectSettings:
    """What is judged, and by what.

    Attributes:
        attacks: fgsm, pgd, deepfool, deepfool-linf; adaptive-NAME, PGD that evades a detector as well: one of those of
            outputs, signals and squeezed inputs, such as adaptive-penultimate.
        strengths: Largest change of a pixel in [0, 1], of fgsm and pgd; deepfool changes as much as need be.
        detectors: Detectors of single inputs: softmax, entropy, squeezing, squeeze-bit, squeeze-median, sample-graph,
            inputs, penultimate, activations, uncertainty, profile, heaviest, layer-inputs; +noise after the last seven
            counts noise as usual (default: squeeze-bit, penultimate, softmax).
        batch_sizes: Sizes of the batches whose Betti curves are judged (0: none).
        n_inputs: Test images to judge, that the network is right about.
        n_fit: Clean training images that the detectors are fitted on.
        noise: How strong the noise is, at most, that +noise detectors are fitted on.
        seed: Of every draw.
        layers: Layers whose outputs are nodes, by name or glob (default: the network's own).

    Raises:
        DnnTopologyError: A name is unknown, or a number out of range.
    """

    attacks: tuple[str, ...] = ("fgsm", "pgd", "deepfool")
    strengths: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3)
    detectors: tuple[str, ...] | None = None
    batch_sizes: tuple[int, ...] = (50,)
    n_inputs: int = 300
    n_fit: int = 1000
    noise: float = 0.35
    seed: int = 0
    layers: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_types(self)
        check_at_least("n_inputs", self.n_inputs, 2)
        check_at_least("n_fit", self.n_fit, 20)
        if not self.attacks or not self.strengths:
            raise DnnTopologyError("name at least one attack and one strength")
        if not all(0 <= each <= 1 for each in self.strengths):
            found = next(each for each in self.strengths if not 0 <= each <= 1)
            raise DnnTopologyError(f"strengths must be changes of pixels, in [0, 1], found {found:g}")

    def check_batches(self) -> None:
        """Check that there are inputs enough for the batches that are judged.

        Raises:
            DnnTopologyError: There are not.
        """
        beyond = [size for size in self.batch_sizes if size > min(self.n_inputs, self.n_fit)]
        if beyond:
            raise DnnTopologyError(
                f"a batch of {beyond[0]} inputs needs as many to judge and to fit on, found {self.n_inputs} and "
                f"{self.n_fit}: take smaller batch_sizes, or more inputs"
            )

    @property
    def all_attacks(self) -> list[tuple[str, float | None]]:
        """Every attack at every strength."""
        return [
            (name, strength)
            for name in dict.fromkeys(self.attacks)
            for strength in ((None,) if name.startswith("deepfool") else sorted({*self.strengths}))
        ]
