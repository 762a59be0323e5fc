"""Tasks on several threads: in their order, each once, and none after one that failed."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial

import numpy as np
import pytest

from dnn_topology.homology.engines.morse import order, stretches
from dnn_topology.homology.engines.morse.order import sort
from dnn_topology.homology.engines.morse.persistent import paired_bars, reduce_graph
from dnn_topology.homology.engines.morse.tasks import Task, carry_out
from tests.homology.engines.families import FAMILIES, random_graph


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_every_task_is_done_once_and_after_those_that_it_needs(threads: int) -> None:
    done: list[int] = []
    rng = np.random.default_rng(threads)
    needs = {k: {int(j) for j in rng.integers(0, 60, 3) if j < k} for k in range(60)}
    names = rng.permutation(60).tolist()
    tasks: dict[Hashable, Task] = {k: Task(partial(done.append, k), frozenset(needs[k])) for k in names}
    carry_out(tasks, threads)
    assert sorted(done) == list(range(60))
    assert all(done.index(j) < done.index(k) for k in done for j in needs[k])


def test_of_tasks_that_can_be_done_the_first_is() -> None:
    done: list[Hashable] = []
    tasks: dict[Hashable, Task] = {"c": Task(partial(done.append, "c"), frozenset("d"))}
    tasks |= {name: Task(partial(done.append, name)) for name in ("b", "d", "a")}
    carry_out(tasks, 1)
    assert done == ["b", "d", "c", "a"]


@pytest.mark.parametrize("threads", [1, 3])
def test_what_a_task_raises_is_raised_and_no_other_task_is_begun(threads: int) -> None:
    done: list[int] = []
    tasks: dict[Hashable, Task] = {k: Task(partial(done.append, k), frozenset({k - 1})) for k in range(2, 9)}
    tasks |= {0: Task(partial(done.append, 0)), 1: Task(lambda: 1 // 0, frozenset({0}))}
    with pytest.raises(ZeroDivisionError):
        carry_out(tasks, threads)
    assert done == [0]


@pytest.mark.parametrize("threads", [2, 3])
def test_several_threads_find_what_one_finds(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FAMILIES:
        for seed in range(4):
            graph = random_graph(name, seed)
            expected = sort(graph), paired_bars(reduce_graph(graph, max_dim=seed, threads=1), graph.n_nodes)
            with monkeypatch.context() as patch:
                patch.setattr(order, "FEW", 1)
                patch.setattr(stretches, "FEW", 1)
                found = (
                    sort(graph, threads=threads),
                    paired_bars(reduce_graph(graph, max_dim=seed, threads=threads), graph.n_nodes),
                )
            for one, other in zip(expected[0], found[0], strict=True):
                np.testing.assert_array_equal(one, other)
            for bars, others in zip(expected[1], found[1], strict=True):
                for one, other in zip(bars, others, strict=True):
                    np.testing.assert_array_equal(one, other)
