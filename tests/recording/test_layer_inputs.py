from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError
from dnn_topology.recording.layer_inputs import weighted_layers


def test_strengths_times_inputs_are_what_the_layer_computes_when_weights_are_positive() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
    images = torch.rand(6, 1, 4, 4)
    first, last = model[0], model[4]
    assert isinstance(first, nn.Conv2d)
    assert isinstance(last, nn.Linear)
    assert first.bias is not None
    conv, linear = weighted_layers(model, [images[:4], images[4:]])
    with torch.no_grad():
        hidden = first(images)
        answers = model(images)
    bias = np.repeat(first.bias.detach().numpy(), 16)
    assert (conv.strengths @ conv.inputs.T).T + bias == pytest.approx(hidden.flatten(1).numpy(), abs=1e-5)
    found = linear.inputs @ np.asarray(linear.strengths).T + last.bias.detach().numpy()
    assert found == pytest.approx(answers.numpy(), abs=1e-5)


def test_no_hook_stays_behind_even_after_an_error() -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    with pytest.raises(RuntimeError):
        weighted_layers(model, [torch.ones(2, 5)])
    assert not model[0]._forward_pre_hooks


def test_a_model_without_weights_is_refused() -> None:
    with pytest.raises(DnnTopologyError, match="no Linear layer"):
        weighted_layers(nn.Sequential(nn.ReLU()), [torch.ones(2, 3)])
