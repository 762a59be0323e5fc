"""A real Dask scheduler and real worker processes on localhost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class Cluster:
    """A scheduler and workers with a name each, all processes of their own.

    Args:
        folder: Where they leave their files.
        names: Of the workers.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        file = folder / "scheduler.json"
        scheduler = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        self.processes = {"scheduler": self._start([*scheduler, "--scheduler-file", str(file)])}
        while not file.exists() or not file.read_text().endswith("}"):
            assert self.processes["scheduler"].poll() is None
            time.sleep(0.05)
        self.address = str(json.loads(file.read_text())["address"])
        for name in names:
            worker = ["worker", self.address, "--name", name, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
            self.processes[name] = self._start([*worker, "--local-directory", str(folder)])

    def wait_for_workers(self, client: Any) -> None:
        """Wait until all workers are there, or one has died."""
        while len(client.scheduler_info()["workers"]) < len(self.processes) - 1:
            assert all(process.poll() is None for process in self.processes.values())
            time.sleep(0.05)

    def busy(self, client: Any) -> list[str]:
        """The names of the workers that have a task."""
        names = {address: about["name"] for address, about in client.scheduler_info()["workers"].items()}
        return [names[address] for address, keys in client.processing().items() if keys]

    def end(self) -> None:
        """Kill what still lives."""
        for process in self.processes.values():
            process.kill()
            process.wait()

    @staticmethod
    def _start(words: list[str]) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-m", "dask", *words]
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
