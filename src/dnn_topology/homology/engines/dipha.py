"""DIPHA: the original's program, distributed over processes by MPI; for a graph too large for one machine.

It is a program of its own: a `dipha` on the PATH, or the one named as `dipha:PATH`. Files are written to a temporary
folder, `mpiexec -n N dipha` runs, and its diagram is read back.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dnn_topology._checks import DnnTopologyError
from dnn_topology._machine import TMPDIR, CannotWriteError, ending_with_parent
from dnn_topology.homology.dipha import read_dipha
from dnn_topology.homology.dipha_graphs import write_dipha_graph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dnn_topology.graphs.graph import FunctionalGraph

LAST_LINES = 8  # MPI adds some of its own


@dataclass(frozen=True)
class Dipha:
    """DIPHA; see `Engine`.

    Attributes:
        program: Path or name of the executable.
    """

    program: str = "dipha"
    about = "distributed by MPI over machines, for graphs too large for one; slow on one (LGPL, a program of its own)"
    install = "build DIPHA with an MPI library, then put it on the PATH or name it as dipha:PATH"

    def version(self) -> str | None:
        """Return a word where the program is found (it has no version number), else None."""
        return "found" if shutil.which(self.program) else None

    def compute(self, graph: FunctionalGraph, *, max_dim: int, threads: int) -> list[NDArray[np.float64]]:
        """Compute persistence in `threads` processes; see `Engine.compute`.

        Raises:
            DnnTopologyError: DIPHA is missing or failed; the message ends with its own last lines.
        """
        if graph.n_nodes == 1:  # on which DIPHA aborts
            return [np.array([[0.0, np.inf]]), *(np.empty((0, 2)) for _ in range(max_dim))]
        with tempfile.TemporaryDirectory(prefix="dnn-topology-dipha-") as folder:
            written, answer = Path(folder) / "graph.bin", Path(folder) / "diagram.bin"
            try:
                write_dipha_graph(graph, written)
            except CannotWriteError as error:
                raise DnnTopologyError(f"{error.what}: {TMPDIR}") from error
            _run([*self._launcher(threads), "--dual", "--upper_dim", str(max_dim + 1), str(written), str(answer)])
            if not answer.exists():
                raise DnnTopologyError("DIPHA ended without an error and without a diagram: run it by hand to see why")
            diagrams = read_dipha(answer, max_epsilon=graph.max_epsilon)
        points = [2 * diagrams[dim] for dim in range(min(max_dim, diagrams.max_dim) + 1)]
        return points + [np.empty((0, 2))] * (max_dim + 1 - len(points))

    def _launcher(self, processes: int) -> list[str]:
        """Return the start of the command line.

        Raises:
            DnnTopologyError: DIPHA or, for several processes, `mpiexec` is missing.
        """
        program, mpiexec = shutil.which(self.program), shutil.which("mpiexec")
        if program is None:
            raise DnnTopologyError(f"there is no program {self.program!r}: {self.install}")
        if mpiexec is not None:
            return [mpiexec, "-n", str(processes), program]
        if processes > 1:
            raise DnnTopologyError(
                f"DIPHA in {processes} processes needs `mpiexec` on the PATH: install an MPI or ask for one process"
            )
        return [program]


def _run(command: Sequence[str]) -> None:
    """Run a program and wait; whatever ends the wait ends the program and all that it started.

    Raises:
        DnnTopologyError: The program failed; the message ends with the last lines that it wrote.
    """
    try:
        process = subprocess.Popen(  # noqa: S603  # the user's own program, named by the user
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=ending_with_parent(signal.SIGTERM),  # noqa: PLW1509  # which MPI passes on to its processes
        )
    except OSError as error:
        raise DnnTopologyError(f"{command[0]} cannot be started: {error.strerror}") from error
    try:
        output, _ = process.communicate()
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode:
        lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip(" -\t")]
        said = " / ".join(lines[-LAST_LINES:]) or "nothing"
        raise DnnTopologyError(f"DIPHA failed with status {process.returncode}; its last lines: {said}")
