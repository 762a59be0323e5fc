"""What of a computer work uses: its cores and its GPU."""

from __future__ import annotations


def device_named(name: str) -> str:
    """Return a device that exists, "auto" being the GPU where there is one.

    Raises:
        DnnTopologyError: There is none of that name here.
    """
    import torch

    from dnn_topology.recording.devices import usable_device

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return str(usable_device(name))


def use_threads(threads: int | None) -> None:
    """Set the number of threads of torch and of the libraries under NumPy and SciPy; None leaves their choice."""
    if threads is None:
        return
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    threadpool_limits(threads)
