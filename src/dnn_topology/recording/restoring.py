"""Using what belongs to the user, a model and torch's random state, and giving it back as it was found."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError


@contextlib.contextmanager
def borrowed(model: nn.Module, device: torch.device | str | None) -> Iterator[tuple[torch.device, torch.dtype | None]]:
    """Put the model into eval mode on a device, and give everything back as it was found.

    Yields:
        The device and the floating-point type (None without parameters) that inputs must have.

    Raises:
        DnnTopologyError: The model has no values, or is to be moved but spread over several devices.
    """
    places = [tensor.device for tensor in itertools.chain(model.parameters(), model.buffers())]
    if any(place.type == "meta" for place in places):
        raise DnnTopologyError("the model is on the device 'meta', where weights have no values: load them first")
    found = places[0] if places else torch.device("cpu")
    home = found if device is None else torch.device(device)
    if home != found and len(set(places)) > 1:
        raise DnnTopologyError(
            f"the model is spread over {', '.join(sorted({str(place) for place in places}))}, so that it cannot be put "
            f"back from device {str(home)!r}: leave `device` out"
        )
    dtype = next((t.dtype for t in model.parameters() if t.is_floating_point()), None)
    training = {module: module.training for module in model.modules()}
    # torch's fused encoder layers hide their inner modules, and nested tensors, from hooks.
    fused = torch.backends.mha.get_fastpath_enabled()
    with torch.no_grad():
        try:
            torch.backends.mha.set_fastpath_enabled(False)
            model.eval()
            if home != found:
                model.to(home)
            yield home, dtype
        finally:
            torch.backends.mha.set_fastpath_enabled(fused)
            for module, mode in training.items():
                module.training = mode
            if home != found:
                model.to(found)


@contextlib.contextmanager
def seeded(seed: int, batches: Iterable[Any], device: torch.device) -> Iterator[None]:
    """Seed the random states that a loader and a model on a device use, and put them back."""
    own = getattr(batches, "generator", None)  # a DataLoader may shuffle by a generator of its own
    own = own if isinstance(own, torch.Generator) else torch.Generator()
    state = own.get_state()
    cuda = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        try:
            # Not torch.manual_seed, which would seed every other device too, for good.
            torch.default_generator.manual_seed(seed)
            if cuda:
                with torch.cuda.device(device):
                    torch.cuda.manual_seed(seed)
            own.manual_seed(seed)
            yield
        finally:
            own.set_state(state)
