"""Arrays of whole numbers that all tasks of a folder need, made before them: groups of nodes, edges between inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.work.ledger import Work

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class IndexArrays(Work[int, "NDArray[np.intp]"]):
    """An array that is made at one epoch and then read.

    Attributes:
        folder: Where its file goes.
        file_name: Of that file, without its suffix; the epoch stands at {}.
        key: Of the array in the file.
        make: Makes the array from an epoch.
        fits: Whether an array may be one of these.
    """

    folder: Path
    file_name: str
    key: str
    make: Callable[[int], NDArray[np.intp]]
    fits: Callable[[NDArray[np.intp]], bool]

    def name(self, epoch: int) -> str:
        """Return its name in the manifest."""
        return self.file_name.format(epoch)

    def files(self, epoch: int) -> Sequence[Path]:
        """Return its file."""
        return [self.folder / f"{self.name(epoch)}.npz"]

    def do(self, epoch: int) -> NDArray[np.intp]:
        """Make it."""
        return self.make(epoch)

    def keep(self, epoch: int, result: NDArray[np.intp]) -> None:
        """Write it."""
        store.write_arrays(self.files(epoch)[0], {self.key: result})

    def load(self, epoch: int) -> NDArray[np.intp]:
        """Read it.

        Raises:
            DnnTopologyError: The file is missing or damaged.
        """
        (path,) = self.files(epoch)
        array = store.read_arrays(path).get(self.key)
        if array is None or array.dtype.kind not in "iu" or not self.fits(array):
            raise DnnTopologyError(f"{path} is damaged: it has no {self.key} that fit; {store.AGAIN}")
        return array
