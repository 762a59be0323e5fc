"""Work that PyTorch's own threads are given."""

from __future__ import annotations

from threading import Barrier, Lock

import pytest
import torch

from dnn_topology.nets import torch_threads
from dnn_topology.nets.torch_threads import in_parts

with_openmp = pytest.mark.skipif(torch_threads._call_together() is None, reason="PyTorch without OpenMP")


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("n", [0, 1, 3, 100])
def test_everything_is_done_once(threads: int, n: int) -> None:
    torch.set_num_threads(threads)
    done, lock = list[int](), Lock()

    def do(part: slice) -> None:
        with lock:
            done.extend(range(n)[part])

    in_parts(n, do)
    assert sorted(done) == list(range(n))


@with_openmp
def test_two_threads_work_at_once() -> None:
    torch.set_num_threads(2)
    both = Barrier(2)
    in_parts(2, lambda _: both.wait(timeout=60))  # an error unless another comes


@pytest.mark.parametrize("threads", [1, 2])
def test_what_a_part_raises_is_raised(threads: int) -> None:
    torch.set_num_threads(threads)

    def fail(part: slice) -> None:
        raise ValueError(f"at {part.start}")

    with pytest.raises(ValueError, match="at "):
        in_parts(8, fail)
    in_parts(8, lambda _: None)


def test_a_pytorch_of_other_threads_is_given_none(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(2)
    monkeypatch.setattr(torch_threads, "_call_together", lambda: None)
    assert not torch_threads.take_work()
    parts = list[slice]()
    in_parts(8, parts.append)
    assert parts == [slice(0, 8)]
