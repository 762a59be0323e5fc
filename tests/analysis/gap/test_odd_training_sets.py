"""Training sets as people have them: of any type, scale and form, with copies, or none at all."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import dnn_topology as dt
from dnn_topology.analysis.gap import leave_one_out
from dnn_topology.analysis.gap.leave_one_out import leave_one_out_features, left_out_classes
from dnn_topology.analysis.gap.model import STUDY


class Given(nn.Module):
    """A linear layer, and what is made of its output."""

    def __init__(self, made: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inside = nn.Linear(4, 3)
        self.made = made

    def forward(self, inputs: torch.Tensor) -> Any:
        return self.made(self.inside(inputs))


def training_set(n: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    """Points of three classes, numbers that every floating-point type holds."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 3
    points = rng.integers(-4, 5, size=(n, 4)) / 4 + labels[:, None]
    return torch.from_numpy(points).float(), torch.from_numpy(labels)


@pytest.mark.parametrize("name", ["inputs", "train_set"])
@pytest.mark.parametrize(
    "form",
    [
        lambda x: x.bfloat16(),
        lambda x: x.double(),
        lambda x: x.clone().requires_grad_(),
        lambda x: x.clone().requires_grad_() * 1,
        lambda x: x.T.contiguous().T,
        lambda x: x.numpy()[::-1][::-1],
        lambda x: x.numpy().astype(">f4"),
        lambda x: pd.DataFrame(x.numpy()),
    ],
)
def test_the_form_of_numbers_does_not_matter(form: Any, name: str) -> None:
    model, (images, labels) = Given(lambda outputs: outputs), training_set()
    given: dict[str, Any] = {name: (images, labels)}
    plain = dt.gap_features(model=model, **given)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        given[name] = (form(images), labels)
        np.testing.assert_equal(dt.gap_features(model=model, **given), plain)


@pytest.mark.parametrize("name", ["inputs", "train_set"])
@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (
            lambda x, y: (x.to_sparse(), y),
            r"NAME\[0\] must be a dense tensor with values, found a sparse one.*to_dense",
        ),
        (lambda x, y: (x.to("meta"), y), r"NAME\[0\] must be a dense tensor with values, found a meta one: give"),
        (
            lambda x, y: (torch.nested.nested_tensor(list(x), layout=torch.jagged), y),
            r"NAME\[0\] must be a dense tensor.*found a nested one.*to_padded_tensor",
        ),
        (lambda x, y: (x[:, :0], y), r"images of NAME must be \(n_samples, …\), found the shape \(40, 0\)"),
        (lambda x, y: {"x": x, "y": y}, "NAME must be a pair.*found dict of 2: give"),
        (torch.utils.data.TensorDataset, "NAME must be a pair.*found TensorDataset of 40: give"),
        (lambda x, y: iter((x, y)), "NAME must be a pair.*found tuple_iterator: give"),
        (lambda x, y: (len(x), len(y)), r"NAME must be a pair.*found lengths \[1, 0\]"),
        (lambda x, y: (x[0, 0], y[0]), r"NAME must be a pair.*found lengths \[0, 0\]"),
    ],
)
def test_what_is_no_pair_of_dense_arrays_is_refused_in_a_line(pair: Any, message: str, name: str) -> None:
    with pytest.raises(dt.DnnTopologyError, match=message.replace("NAME", name)) as caught:
        dt.gap_features(model=Given(lambda outputs: outputs), **{name: pair(*training_set())})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda outputs: outputs[:5], "the model gives 5 predictions of 40 inputs"),
        (lambda outputs: outputs[:, :0], r"the model gives shape \(40, 0\)"),
        (lambda outputs: outputs.to(torch.complex64), "the model gives complex numbers"),
        (lambda outputs: outputs.to_sparse(), "the model gives sparse ones"),
        (lambda outputs: outputs.argmax(dim=1) + 1, "the model gives one whole number per input, up to 3"),
    ],
)
def test_a_model_that_gives_no_logits_of_each_input_is_refused(made: Any, message: str) -> None:
    with pytest.raises(dt.DnnTopologyError, match=message):
        dt.gap_features(model=Given(made), train_set=training_set())


def test_a_model_may_answer_with_the_one_class_that_is_true() -> None:
    answers = [
        dt.gap_features(model=Given(made), train_set=training_set())
        for made in (lambda outputs: outputs, lambda outputs: outputs == outputs.amax(dim=1, keepdim=True))
    ]
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "made", [torch.zeros_like, lambda outputs: torch.zeros_like(outputs) + nn.Parameter(torch.ones(3))]
)
def test_outputs_that_ignore_the_inputs_have_margin_0(made: Any) -> None:
    assert dt.gap_features(model=Given(made), inputs=training_set())["margin_median"] == 0


@pytest.mark.parametrize("scale", [2.0**-1000, 2.0**-530, 2.0**1000])
def test_very_small_and_very_large_inputs_are_as_any_others(scale: float) -> None:
    images, labels = training_set()
    plain = left_out_classes(images.double().numpy(), labels.numpy())
    np.testing.assert_array_equal(left_out_classes(scale * images.double().numpy(), labels.numpy()), plain)


@pytest.mark.parametrize("offset", [2.0**34 * np.ones(4), np.array([0, 0, 0, 2.0**34])])
def test_inputs_far_from_0_are_as_any_others(offset: Any) -> None:
    images, labels = training_set()
    plain = left_out_classes(images.double().numpy(), labels.numpy())
    np.testing.assert_array_equal(left_out_classes(images.double().numpy() + offset, labels.numpy()), plain)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_of_inputs_that_are_not_finite_nothing_is_known(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leave_one_out, "MOST_LANDMARKS", 10)
    images, labels = training_set()
    for place in range(0, 40, 5):
        changed = images.clone()
        changed[place, 0] = value
        assert left_out_classes(changed.double().numpy(), labels.numpy()) is None


def test_of_classes_that_are_as_likely_the_first_is_said() -> None:
    said = left_out_classes(
        np.eye(12), np.tile([2, 5, 7], 4)
    )  # all as far apart: three of its own, four of either other
    np.testing.assert_array_equal(said, np.tile([5, 2, 2], 4))


def test_parts_of_the_points_say_what_all_at_once_do(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = training_set()
    whole = left_out_classes(images.double().numpy(), labels.numpy())
    monkeypatch.setattr(leave_one_out, "PART", 7)
    np.testing.assert_array_equal(left_out_classes(images.double().numpy(), labels.numpy()), whole)


def test_complex_inputs_are_pairs_of_numbers() -> None:
    images, labels = training_set()
    pairs = leave_one_out_features(labels.numpy(), images, labels)
    assert leave_one_out_features(labels.numpy(), torch.complex(images[:, :2], images[:, 2:]), labels) == pairs


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"train_accuracy": [90.0], "loo_agreement": [0.8]},
            r"train_accuracy must be a share.*found 90: divide per cent",
        ),
        ({"train_accuracy": [0.9], "loo_agreement": [-0.1]}, "loo_agreement must be a share.*found -0.1"),
        ({"train_accuracy": [], "loo_agreement": []}, "the table has no rows"),
        (
            {"train_accuracy": [1j], "loo_agreement": [0.8]},
            "'train_accuracy' must hold numbers, found .* of complex128",
        ),
        ({"train_accuracy": [0.9], "loo_agreement": [np.nan]}, "'loo_agreement' of row 0 is not known: .*one point"),
        ({"train_accuracy": [0.9]}, "no column 'loo_agreement'.*`gap_features`"),
    ],
)
def test_the_model_of_the_study_refuses_what_is_no_network(table: Any, message: str) -> None:
    with pytest.raises(dt.DnnTopologyError, match=message):
        dt.GapModel.of_study().predict(pd.DataFrame(table))


def test_a_column_that_is_there_twice_is_refused() -> None:
    table = pd.DataFrame([[0.9, 0.8, 0.7]], columns=["train_accuracy", "loo_agreement", "loo_agreement"])
    with pytest.raises(dt.DnnTopologyError, match="several columns 'loo_agreement'"):
        dt.GapModel.of_study().predict(table)


def test_how_much_networks_can_say_is_not_rounded_up_to_all() -> None:
    table = pd.DataFrame({"train_accuracy": [0.9], "loo_agreement": [0.8]})
    with pytest.raises(dt.DnnTopologyError, match=r"fitted on 376, which say no more than 0\.997: lower it"):
        dt.GapModel.of_study().predict(table, confidence=0.999)


@pytest.mark.parametrize(("name", "value"), [("draws", "many"), ("draws", 0), ("n_inputs", 2.5), ("early_epoch", -1)])
def test_a_file_with_damaged_measuring_is_refused(name: str, value: Any, tmp_path: Path) -> None:
    content = json.loads(STUDY.read_text(encoding="utf-8"))
    content["measured"][name] = value
    (tmp_path / "model.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(dt.DnnTopologyError, match=f"is damaged: measured must give {name} as a whole number, found"):
        dt.GapModel.load(tmp_path / "model.json")
