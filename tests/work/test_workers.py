"""What each of several jobs may use, and where they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dnn_topology._checks import DnnTopologyError
from dnn_topology.homology.persistence import persistence
from dnn_topology.runs.measuring import measure_epochs
from dnn_topology.runs.run import Run
from dnn_topology.runs.stopping import USUAL, StoppingEpochs
from dnn_topology.runs.training import run_training
from dnn_topology.settings import Resources, RunMeasureSettings, TrainSettings
from dnn_topology.work.workers import work_through

TWO_JOBS = Resources(jobs=2, memory_limit=8.0, threads=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with the weights of three epochs."""
    training = TrainSettings(net="mlp", dataset="digits", width=0.1, train_size=60)
    run = Run.named(training, tmp_path_factory.mktemp("run"))
    run_training(run, epochs=2)
    return run


def measure(run: Run, resources: Resources) -> None:
    measure_epochs(run, RunMeasureSettings(n_inputs=30, max_dim=1), [0, 1, 2], resources=resources)


def stop(run: Run, resources: Resources) -> None:
    StoppingEpochs(run, replace(USUAL, n_inputs=30), resources=resources).quantities([0, 1, 2])


@pytest.mark.parametrize("work", [measure, stop])
@pytest.mark.parametrize(("jobs", "share"), [(1, 8.0), (2, 4.0), (5, 8 / 3)])
def test_jobs_at_the_same_time_share_the_memory(
    work: Callable[[Run, Resources], None],
    jobs: int,
    share: float,
    trained: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits: list[float] = []

    def recorded(graph: Any, *, memory_limit: float, **options: Any) -> Any:
        limits.append(memory_limit)
        return persistence(graph, memory_limit=memory_limit, **options)

    def here(work: Callable[[int], Any], tasks: Sequence[int], *_: object, **__: object) -> Iterator[tuple[int, Any]]:
        yield from ((task, work(task)) for task in tasks)

    monkeypatch.setattr("dnn_topology.pipeline.persistence", recorded)
    monkeypatch.setattr("dnn_topology.work.ledger.work_through", here)
    # a folder of its own, with the same weights: what was measured before would not be measured again
    (tmp_path / "run").mkdir()
    for name in ("settings.json", "checkpoints"):
        (tmp_path / "run" / name).symlink_to(trained.folder / name)
    work(Run.open(tmp_path / "run"), replace(TWO_JOBS, jobs=jobs))
    assert limits == pytest.approx([share] * 3)


def test_without_a_limit_the_jobs_share_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    class Memory:
        available = 10 * 2**30

    monkeypatch.setattr("dnn_topology.settings.computing.psutil.virtual_memory", Memory)
    shared = Resources(jobs=4).of_each_job(10).memory_limit
    assert shared == pytest.approx(2.0)  # a fifth of what is free is left alone
    assert Resources(jobs=4).of_each_job(1).memory_limit is None


def test_what_each_job_may_use_differs_in_nothing_else() -> None:
    asked = replace(TWO_JOBS, engine="gudhi", timeout=9.0, isolated=True)
    assert asked.of_each_job(3) == replace(asked, memory_limit=4.0)


@pytest.mark.parametrize("option", [{"jobs": 2}, {"timeout": 10.0}])
def test_options_of_this_machine_are_refused_beside_a_scheduler(option: dict[str, Any]) -> None:
    with pytest.raises(DnnTopologyError, match="jobs and timeout apply to this machine"):
        Resources(scheduler="tcp://127.0.0.1:8786", **option)


@pytest.mark.parametrize("option", [{"jobs": 0}, {"timeout": 0.0}, {"timeout": float("inf")}, {"memory_limit": 0.0}])
def test_numbers_that_allow_nothing_are_refused(option: dict[str, Any]) -> None:
    with pytest.raises(DnnTopologyError, match=next(iter(option))):
        Resources(**option)


def where(_: int) -> int:
    """The process that does a task; module-level, so that a child process finds it."""
    return os.getpid()


@pytest.mark.parametrize(
    ("resources", "n_tasks", "n_children"),
    [(Resources(), 2, 0), (Resources(jobs=2), 1, 0), (Resources(isolated=True), 2, 1), (Resources(jobs=2), 2, 2)],
)
def test_tasks_leave_this_process_for_several_jobs_or_where_that_is_asked_for(
    resources: Resources, n_tasks: int, n_children: int
) -> None:
    processes = [process for _, process in work_through(where, range(n_tasks), resources)]
    assert len(processes) == n_tasks
    assert len({*processes} - {os.getpid()}) <= n_children
    assert (os.getpid() in processes) == (n_children == 0)


def test_an_address_that_asks_for_tls_without_certificates_is_told_so() -> None:
    pytest.importorskip("distributed")
    with pytest.raises(DnnTopologyError, match=r"tls://127\.0\.0\.1:1 asks for TLS, .* names no certificates"):
        next(work_through(abs, [1], Resources(scheduler="tls://127.0.0.1:1")))


def test_an_address_without_encryption_is_refused_where_the_configuration_requires_it() -> None:
    pytest.importorskip("distributed")
    dask = pytest.importorskip("dask")
    with (
        dask.config.set({"distributed.comm.require-encryption": True}),
        pytest.raises(DnnTopologyError, match="requires encryption, which tcp://127"),
    ):
        next(work_through(abs, [1], Resources(scheduler="tcp://127.0.0.1:1")))
