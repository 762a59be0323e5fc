"""One array that grows on disk."""

from __future__ import annotations

import io
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dnn_topology.store.leftovers import prefix, sweep_once
from dnn_topology.store.problems import readable_errors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class GrowingArray:
    """A `.npy` file of rows (n, width), float32, which never lie in memory all at once.

    Used as a context: the file is there, whole, once the block has ended without an exception and after at least one
    row. Of several that write one file at a time the last to end leaves its own, and each keeps its own rows.

    Args:
        path: The file; its folder is made if it is missing.

    Raises:
        DnnTopologyError: The file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._temporary = path.with_name(f"{prefix()}{secrets.token_hex(8)}{path.suffix[:16]}")  # others write it too
        self._n_rows, self._width = 0, 0
        self._values: NDArray[np.float32] | None = None

    @property
    def values(self) -> NDArray[np.float32]:
        """All rows, mapped from what was written here, also where another process has replaced the file since."""
        assert self._values is not None
        return self._values

    def add(self, rows: NDArray[np.float32]) -> None:
        """Write rows (n, width) behind those that are there."""
        self._width = rows.shape[1]
        with readable_errors("write", self.path), self._temporary.open("ab") as file:
            if not self._n_rows:
                file.truncate(0)  # what parts without rows left
                file.write(self._header())
            file.write(rows.astype("<f4").tobytes())
        self._n_rows += len(rows)

    # What goes wrong between two calls is the caller's, so only what is done here is explained as an error of the file.
    def __enter__(self) -> GrowingArray:
        with readable_errors("write", self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            sweep_once(self.path.parent)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None and self._n_rows:
                with readable_errors("write", self.path):
                    self._finish()
        finally:
            self._temporary.unlink(missing_ok=True)

    def _finish(self) -> None:
        """Say how many rows there are, and let the file take its place."""
        with self._temporary.open("rb+") as file:
            file.write(self._header())
            file.flush()
            os.fsync(file.fileno())
        if sys.platform != "win32":  # where an open file keeps its name
            self._values = self._mapped(self._temporary)
        self._temporary.replace(self.path)
        if self._values is None:
            self._values = self._mapped(self.path)

    def _header(self) -> bytes:
        """Return the start of the file, which NumPy pads so that the number of rows can grow in place."""
        import numpy as np

        buffer = io.BytesIO()
        about = {"descr": "<f4", "fortran_order": False, "shape": (self._n_rows, self._width)}
        np.lib.format.write_array_header_1_0(buffer, about)
        return buffer.getvalue()

    def _mapped(self, path: Path) -> NDArray[np.float32]:
        """Return the rows, mapped from a file, which may be renamed and replaced then."""
        import numpy as np

        values: NDArray[np.float32] = np.load(path, mmap_mode="r")
        return values
