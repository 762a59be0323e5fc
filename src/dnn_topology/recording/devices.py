"""Devices by name, those that this machine has."""

from __future__ import annotations

import torch

from dnn_topology._checks import DnnTopologyError, shown


def usable_device(device: torch.device | str) -> torch.device:
    """Return a device by name, once something has been put there.

    Raises:
        DnnTopologyError: It is no name of a device, or this machine has none.
    """
    try:
        wanted = torch.device(device)
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise DnnTopologyError(f"device must name one such as 'cpu' or 'cuda:0', found {shown(device)}") from error
    if wanted.type == "meta":
        raise DnnTopologyError("device must be one with values, found meta: expected cpu, cuda, cuda:1, mps, …")
    try:
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0].removesuffix(".")
        raise DnnTopologyError(f"device={device} cannot be used here ({reason}): use device=cpu") from error
    return wanted
