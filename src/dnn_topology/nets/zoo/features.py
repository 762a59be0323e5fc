"""Where a network of the original's kind says that its nodes are: in a method `forward_features` of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from dnn_topology.recording.function_calls import function_calls
from dnn_topology.recording.layers import OUTPUT

N_IMAGES = 2


def feature_layers(model: nn.Module, shape: Sequence[int]) -> dict[str, tuple[str, ...]] | None:
    """Return the layers whose outputs a model's `forward_features` gives, as units and as channels.

    The method of the original's models returns tensors, not names. So the model runs once, and a feature is the first
    module or function whose output has its values; what two of them share is taken once. `forward_param_features`,
    where it is there, names the layers for channels.

    Args:
        model: Any module.
        shape: (channels, height, width) of its images.

    Returns:
        "unit" and "channel" → names as for `record`; None if the model has no such method, or if it gives no list of
        tensors that the model computes.

    Example:
        >>> class Net(nn.Module):
        ...     def __init__(self) -> None:
        ...         super().__init__()
        ...         self.fc1, self.fc2 = nn.Linear(4, 3), nn.Linear(3, 2)
        ...
        ...     def forward_features(self, x):
        ...         hidden = self.fc1(x.flatten(1)).relu()
        ...         return [hidden, self.fc2(hidden)]
        ...
        ...     def forward(self, x):
        ...         return self.forward_features(x)[-1]
        >>> feature_layers(Net(), (1, 2, 2))["unit"]
        ('relu', 'fc2')
    """
    units = _layers_of(model, "forward_features", shape)
    channels = _layers_of(model, "forward_param_features", shape)
    return None if units is None else {"unit": units, "channel": channels or units}


def _layers_of(model: nn.Module, method: str, shape: Sequence[int]) -> tuple[str, ...] | None:
    """Return the layers whose outputs one method gives; None if that cannot be told."""
    if not callable(getattr(model, method, None)):
        return None
    images = torch.rand(N_IMAGES, *shape, generator=torch.Generator().manual_seed(0), device="cpu")
    training = {module: module.training for module in model.modules()}
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            model.eval()
            features: Any = getattr(model, method)(images)
            if not isinstance(features, (list, tuple)) or not features:
                return None
            features = [feature.clone() for feature in features]
            outputs = _outputs(model, images)
    except Exception:  # a foreign method may take other arguments, return or raise anything
        return None
    finally:
        for module, mode in training.items():
            module.training = mode
    names = [next((name for name, output in outputs if _same(output, feature)), None) for feature in features]
    return None if None in names else tuple(dict.fromkeys(name for name in names if name is not None))


def _outputs(model: nn.Module, images: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    """Return what every module and every function of a model gives, in the order in which they are done."""
    outputs: list[tuple[str, torch.Tensor]] = []

    def keep(name: str, output: Any) -> None:
        if isinstance(output, torch.Tensor) and len(output) == N_IMAGES:
            outputs.append((name, output.detach().clone()))  # which a following in-place function changes

    with function_calls(model, keep) as paused, contextlib.ExitStack() as hooks:

        def hook(name: str) -> Any:
            def called(module: nn.Module, args: Any, output: Any) -> None:  # noqa: ARG001  # the signature is torch's
                with paused():
                    keep(name, output)

            return called

        for name, module in model.named_modules():
            if name:
                hooks.callback(module.register_forward_hook(hook(name)).remove)
        keep(OUTPUT, model(images))
    return outputs


def _same(output: torch.Tensor, feature: Any) -> bool:
    """Tell whether an output has the values of a feature, flattened or not."""
    return isinstance(feature, torch.Tensor) and torch.equal(output.flatten(1), feature.flatten(1))
