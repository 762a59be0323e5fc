"""What the tests of commands share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dnn_topology.cli import options
from dnn_topology.settings import Resources

ABOUT_PROCESSES = {"test_resources", "test_study", "test_cli"}


@pytest.fixture(scope="module", autouse=True)
def measured_here(request: pytest.FixtureRequest) -> Iterator[None]:
    """Measure in this process where a module is not about processes: each child imports everything anew."""
    with pytest.MonkeyPatch.context() as patch:
        if request.module.__name__.rpartition(".")[2] not in ABOUT_PROCESSES:
            patch.setattr(options.Machine, "using", _here)
        yield


def _here(machine: options.Machine, resources: Resources) -> Resources:
    """Return what measuring may use, without a process for a single job, unless it may be stopped."""
    from dnn_topology.homology.engines import check_engine

    check_engine(resources.engine)
    return options.plain(resources, threads=machine.nproc, isolated=resources.timeout is not None)
