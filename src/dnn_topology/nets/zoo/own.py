"""Networks that are named by where they come from: torchvision:NAME, and package.module:factory of the user's own."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError, nearest, shown
from dnn_topology.nets._torchvision import torchvision
from dnn_topology.nets.zoo.features import feature_layers
from dnn_topology.nets.zoo.network import Network, Shape, shape_text

TORCHVISION = "torchvision:"
IMAGENET = (3, 224, 224)
# Their training outputs would be tuples, with those of auxiliary classifiers.
OPTIONS: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "init_weights": True},
    "inception_v3": {"aux_logits": False, "init_weights": True},
}
SIZES = {"inception_v3": (3, 299, 299)}


def torchvision_network(name: str) -> Network:
    """Return any classifier of torchvision, as torchvision builds it and with fresh weights.

    Args:
        name: "torchvision:" and a name of `torchvision.models`.

    Returns:
        The network.

    Raises:
        DnnTopologyError: torchvision has no such classifier.
    """
    models = torchvision("models")
    known = models.list_models(module=models)
    short = name.removeprefix(TORCHVISION)
    if short not in known:
        raise DnnTopologyError(f"torchvision has no classifier {short!r}: {nearest(short, known)}")

    def build(n_classes: int, shape: Shape) -> nn.Module:
        made: nn.Module = models.get_model(short, weights=None, num_classes=n_classes, **OPTIONS.get(short, {}))
        return checked(name, made, n_classes, shape)

    return Network(name, f"torchvision's {short}", build, (SIZES.get(short, IMAGENET),), any_shape=True)


def own_network(name: str) -> Network:
    """Return a network of the user's own.

    Args:
        name: "package.module:factory". The factory is a function or class, called with those of the arguments
            `n_classes` (or `num_classes`) and `shape` (channels, height, width) that it has. The working folder is
            searched for the module too.

    Returns:
        The network. Where the model has a method `forward_features`, as the original's have, its nodes are those.

    Raises:
        DnnTopologyError: There is no such module or factory, or it fails.
    """
    factory = _factory(name)

    def build(n_classes: int, shape: Shape) -> nn.Module:
        offered = {"n_classes": n_classes, "num_classes": n_classes, "shape": shape}
        given = {key: value for key, value in offered.items() if key in _arguments(factory)}
        try:
            made = factory(**given)
        except DnnTopologyError:
            raise
        except Exception as error:  # a foreign factory may raise anything
            raise DnnTopologyError(f"{name} fails when it is called with {given} ({_said(error)}): mend it") from error
        if not isinstance(made, nn.Module):
            raise DnnTopologyError(f"{name}: expected an nn.Module, found {type(made).__name__}")
        checked(name, made, n_classes, shape)
        if not hasattr(made, "node_layers") and (layers := feature_layers(made, shape)):
            vars(made)["node_layers"] = layers
        return made

    shape = getattr(factory, "input_shape", None)
    return Network(name, "the user's own", build, (tuple(shape),) if shape else (), any_shape=True)


def checked(name: str, model: nn.Module, n_classes: int, shape: Shape) -> nn.Module:
    """Return a model after a trial with two images.

    Raises:
        DnnTopologyError: It does not take such images, or does not give one number per class.
    """
    training = model.training
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            model.eval()  # whose overridden `train` may return nothing
            output = model(torch.zeros(2, *shape))
    except Exception as error:  # a foreign model may raise anything
        raise DnnTopologyError(
            f"{name} fails on images of {shape_text(shape)} ({_said(error)}): name the data set in "
            "another form, such as cifar10_color64, or take another network"
        ) from error
    finally:
        model.train(training)
    gave = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
    if not isinstance(output, torch.Tensor) or output.ndim != 2 or output.shape[1] < n_classes:
        raise DnnTopologyError(
            f"{name} must give {n_classes} numbers per image, one for each class, as a tensor (2, {n_classes}) for 2 "
            f"images; found {gave}"
        )
    return model


def _said(error: Exception) -> str:
    """Return what an exception of the user's own says, on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _factory(name: str) -> Callable[..., Any]:
    """Return what makes a network of the user's own.

    Raises:
        DnnTopologyError: There is no such module or factory, or the module fails.
    """
    module_name, _, attribute = name.partition(":")
    with contextlib.suppress(ImportError):
        torchvision("models")  # the module may import torchvision itself, which needs our guard
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        factory = getattr(importlib.import_module(module_name), attribute)
    except ModuleNotFoundError as error:
        raise DnnTopologyError(f"{name}: {error}: start where it can be imported, or install it") from error
    except AttributeError as error:
        raise DnnTopologyError(f"{name}: {error}: give package.module:factory") from error
    except Exception as error:  # whatever the user's module does when it is imported
        raise DnnTopologyError(f"{name} cannot be imported ({_said(error)}): give package.module:factory") from error
    if not callable(factory):
        raise DnnTopologyError(f"{name}: expected a function or a class that makes the network, found {shown(factory)}")
    made: Callable[..., Any] = factory
    return made


def _arguments(factory: Callable[..., Any]) -> set[str]:
    """Return the names of a factory's arguments; none where Python cannot tell."""
    try:
        return set(inspect.signature(factory).parameters)
    except (TypeError, ValueError):
        return set()
