from __future__ import annotations

import pytest
import torch

from dnn_topology.nets.data import load_data, sample
from dnn_topology.nets.draws import drawn_inputs, labelled_draws
from dnn_topology.settings import RunMeasureSettings


def test_labelled_draws_are_the_inputs_that_are_measured_a_seed_each() -> None:
    data = load_data("digits")
    draws = list(labelled_draws(data, RunMeasureSettings(n_inputs=30), draws=3, seed=5))
    assert len(draws) == 3
    for number, (images, labels) in enumerate(draws):
        ((expected, their_labels),) = drawn_inputs(data.train, 30, seed=5 + number)
        assert torch.equal(images, expected)
        assert torch.equal(labels, their_labels)
    assert not torch.equal(draws[0][0], draws[1][0])


@pytest.mark.parametrize("n_inputs", [29, 30])
def test_of_as_many_inputs_as_there_are_one_draw_is_enough(n_inputs: int) -> None:
    data = load_data("digits", train_size=30)
    draws = list(labelled_draws(data, RunMeasureSettings(n_inputs=n_inputs), draws=3, seed=5))
    assert len(draws) == (1 if n_inputs == 30 else 3)
    assert torch.equal(draws[0][0], sample(data.train, n_inputs, seed=5).tensors[0])
