"""Subsets and changes of labels. Each is drawn once, seeded, so that every epoch sees the same data."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from dnn_topology.nets.data.pixels import Pixels


@dataclass(frozen=True, eq=False)
class Split:
    """Training or test data as their source gives them.

    Attributes:
        pixels: The images.
        labels: (n,), int64, of the images at `places`.
        places: (n,), int64: which of the images.
    """

    pixels: Pixels
    labels: torch.Tensor
    places: torch.Tensor

    @classmethod
    def whole(cls, pixels: Pixels, labels: torch.Tensor) -> Split:
        """Return all images with their labels."""
        return cls(pixels, labels.long(), torch.arange(len(labels), device=labels.device))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.places)

    def at(self, kept: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Split:
        """Return some of the images."""
        return replace(self, labels=self.labels[kept], places=self.places[kept])


def subset(split: Split, n_images: int, rng: np.random.Generator) -> Split:
    """Keep so many random images, in their order. More images, drawn by the same generator, include the fewer."""
    return split.at(np.sort(rng.permutation(len(split))[:n_images]))


def binarized(split: Split, pivot: int, rng: np.random.Generator) -> Split:
    """Set class `pivot`, labelled 1, against an equally large random sample of the rest, labelled 0."""
    labels = split.labels.numpy()
    ours, others = np.flatnonzero(labels == pivot), np.flatnonzero(labels != pivot)
    kept = split.at(np.sort(np.concatenate([ours, rng.permutation(others)[: len(ours)]])))
    return replace(kept, labels=(kept.labels == pivot).long())


def permuted(split: Split, share: float, rng: np.random.Generator) -> Split:
    """Permute a random share of the labels among one another."""
    chosen = rng.permutation(len(split))[: round(share * len(split))]
    labels = split.labels.clone()
    labels[chosen] = split.labels[rng.permutation(chosen)]
    return replace(split, labels=labels)
