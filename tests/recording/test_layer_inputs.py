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


class TimeFirst(nn.Module):
    """A layer on steps, which come before the samples or are folded into them, and one on their mean."""

    def __init__(self, *, folded: bool = False) -> None:
        super().__init__()
        self.each, self.last, self.folded = nn.Linear(6, 8), nn.Linear(8, 3), folded

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps = self.each(x.flatten(0, 1)).view(*x.shape[:2], -1) if self.folded else self.each(x.transpose(0, 1))
        answer: torch.Tensor = self.last(input=steps.mean(1 if self.folded else 0))
        return answer


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("n_steps", [4, 5])
def test_a_row_is_what_enters_a_layer_of_one_sample_wherever_that_has_its_samples(folded: bool, n_steps: int) -> None:
    sequences = torch.randn(5, n_steps, 6, generator=torch.Generator().manual_seed(0))
    each, last = weighted_layers(TimeFirst(folded=folded), [sequences])
    assert np.array_equal(each.inputs, sequences.flatten(1).numpy())
    assert (each.strengths.shape, last.inputs.shape) == ((8 * n_steps, 6 * n_steps), (5, 8))


def test_a_layer_without_a_dimension_of_samples_is_refused() -> None:
    class Pairs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pair = nn.Linear(12, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            one, other = torch.triu_indices(len(x), len(x), 1)
            answer: torch.Tensor = self.pair(torch.cat([x[one], x[other]], dim=1)).mean(0).expand(len(x), 3)
            return answer

    with pytest.raises(DnnTopologyError, match=r"what enters layer 'pair', \(15, 12\), has no dimension of the 6 sam"):
        weighted_layers(Pairs(), [torch.ones(6, 6)])


def test_no_hook_stays_behind_even_after_an_error() -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    with pytest.raises(DnnTopologyError, match="the model fails on its inputs"):
        weighted_layers(model, [torch.ones(2, 5)])
    assert not model[0]._forward_pre_hooks


def test_a_model_without_weights_is_refused() -> None:
    with pytest.raises(DnnTopologyError, match="no Linear layer"):
        weighted_layers(nn.Sequential(nn.ReLU()), [torch.ones(2, 3)])
