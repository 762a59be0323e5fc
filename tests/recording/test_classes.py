from __future__ import annotations

from collections import namedtuple
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError
from dnn_topology.recording.classes import predicted_classes

INPUTS = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
Output = namedtuple("Output", ["logits", "loss"])  # as models return them


class Giving(nn.Module):
    """A model that returns what a function makes of its inputs."""

    def __init__(self, make: Any) -> None:
        super().__init__()
        self.make = make

    def forward(self, x: torch.Tensor) -> Any:
        return self.make(x)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x,
        lambda x: (x, x.sum()),
        lambda x: {"loss": x.sum(), "logits": x},
        lambda x: SimpleNamespace(logits=x),
        lambda x: Output(x, x.sum()),
        lambda x: x.softmax(1),
    ],
)
def test_the_largest_of_the_logits_is_predicted_in_whatever_form_they_come(make: Any) -> None:
    assert predicted_classes(Giving(make), list(torch.split(INPUTS, 8))).tolist() == INPUTS.argmax(1).tolist()


@pytest.mark.parametrize("make", [lambda x: x[:, 0], lambda x: x[:, :1]])
def test_one_logit_is_that_of_class_1(make: Any) -> None:
    assert predicted_classes(Giving(make), INPUTS).tolist() == (INPUTS[:, 0] > 0).long().tolist()


@pytest.mark.parametrize(("make", "said"), [(lambda x: x[:, None], r"shape \(20, 1, 3\)"), (lambda _: "a cat", "str")])
def test_what_is_no_logits_is_refused_by_what_it_is(make: Any, said: str) -> None:
    with pytest.raises(DnnTopologyError, match=rf"predictions need logits, .*the model gives {said}: wrap it"):
        predicted_classes(Giving(make), INPUTS)


def test_logits_that_are_not_a_number_give_no_class() -> None:
    inputs = INPUTS.clone()
    inputs[3, 0] = float("nan")
    with pytest.raises(DnnTopologyError, match=f"gives NaN at 1 of {len(inputs)} inputs"):
        predicted_classes(nn.Identity(), inputs)
