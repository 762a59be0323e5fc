"""What computing may use; none of it changes a result."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from typing import Any

import psutil

from dnn_topology._checks import DnnTopologyError, check_at_least, check_types

GIB = 2**30
FREE_SHARE = 0.8  # of the free memory that may be used by default


@dataclass(frozen=True)
class Compute:
    """What computing may use; none of it changes a result.

    Attributes:
        engine: What computes persistence ('auto' decides, `dnn-topology engines` lists).
        threads: Threads to use (default: one per core).
        memory_limit: Refuse what would take more, in GiB (default: 80 % of what is free).

    Raises:
        DnnTopologyError: A number is not positive.
    """

    engine: str = "auto"
    threads: int | None = None
    memory_limit: float | None = None

    def __post_init__(self) -> None:
        check_types(self)
        if self.threads is not None:
            check_at_least("threads", self.threads, 1)
        if self.memory_limit is not None and not self.memory_limit > 0:
            raise DnnTopologyError(f"memory_limit must be positive, found {self.memory_limit}")

    @property
    def of_persistence(self) -> dict[str, Any]:
        """The options of `persistence`."""
        return {"engine": self.engine, "threads": self.threads, "memory_limit": self.memory_limit}


@dataclass(frozen=True)
class Resources(Compute):
    """What a run may use; none of it changes a result.

    Attributes:
        threads: Threads in all, shared among the jobs (default: one per core).
        jobs: Epochs or networks that are worked on at the same time, each in a process of its own if there are several.
        timeout: Give an epoch or network up after so many seconds.
        isolated: Whether a single job has a process of its own too, so that its death is not that of the caller.
        scheduler: Work on the Dask cluster of this scheduler, tcp://host:8786, whose workers see the same folders.

    Raises:
        DnnTopologyError: A number is not positive, or an option means nothing beside another.
    """

    jobs: int = 1
    timeout: float | None = None
    isolated: bool = False
    scheduler: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least("jobs", self.jobs, 1)
        if self.timeout is not None and not 0 < self.timeout < math.inf:
            raise DnnTopologyError(f"timeout must be positive, found {self.timeout}")
        if self.scheduler is not None and (self.jobs != 1 or self.timeout is not None):
            raise DnnTopologyError(
                "jobs and timeout apply to this machine and scheduler to a cluster, whose workers decide how many "
                "work at a time: leave out one or the other"
            )

    def of_each_job(self, n_tasks: int) -> Resources:
        """Return what one of several jobs may use: its share of the threads and of the memory."""
        jobs = min(self.jobs, n_tasks)
        if jobs <= 1 or self.scheduler is not None:
            return self
        threads = max(1, (self.threads or cores()) // self.jobs)
        limit = self.memory_limit or FREE_SHARE * psutil.virtual_memory().available / GIB
        return replace(self, threads=threads, memory_limit=limit / jobs)


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
