from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

import dnn_topology as dt
from dnn_topology.recording.signals import changed_leaves, leaves, signals, token_mask

RNG = torch.Generator().manual_seed(0)


@dataclass
class Answer:
    logits: torch.Tensor
    states: tuple[torch.Tensor, ...]


def test_leaves_follow_tuples_mappings_and_dataclasses() -> None:
    x = torch.zeros(2, 3)
    assert [path for path, _ in leaves({"a": (x, [x]), "b": Answer(x, (x, x))})] == [
        ".a.0",
        ".a.1.0",
        ".b.logits",
        ".b.states.0",
        ".b.states.1",
    ]


def test_leaves_are_changed_where_they_are_in_tuples_mappings_and_dataclasses() -> None:
    whole = torch.ones(2, dtype=torch.int64)
    output = Answer(torch.ones(2, 3), (torch.ones(2), whole))
    paths: list[str] = []

    def doubled(path: str, tensor: torch.Tensor) -> torch.Tensor:
        paths.append(path)
        return 2 * tensor

    changed = changed_leaves({"a": output, "b": "text"}, doubled)
    assert paths == [".a.logits", ".a.states.0"]
    assert changed["a"].logits.tolist() == [[2.0] * 3] * 2
    assert changed["a"].states[0].tolist() == [2.0, 2.0]
    assert changed["a"].states[1] is whole
    assert changed["b"] == "text"
    assert output.logits.tolist() == [[1.0] * 3] * 2


def test_leaves_pass_over_losses_whole_numbers_and_other_things() -> None:
    assert not list(leaves({"loss": torch.tensor(1.0), "ids": torch.tensor([1, 2]), "none": None, "text": "a"}))


@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 3, 2), (4, 3, 2, 5)])
@pytest.mark.parametrize("nodes", ["unit", "channel", "feature"])
def test_every_kind_of_node_is_the_mean_over_its_dimensions(shape: tuple[int, ...], nodes: str) -> None:
    output = torch.randn(shape, generator=RNG)
    found = signals(output, nodes=nodes, mask=None, layer="a")  # type: ignore[arg-type]
    if nodes == "unit" or len(shape) <= 2:
        expected = output.numpy().reshape(4, -1)
    elif nodes == "channel":
        expected = output.numpy().reshape(4, 3, -1).mean(axis=2)
    else:
        expected = output.numpy().reshape(4, -1, shape[-1]).mean(axis=1)
    torch.testing.assert_close(found, torch.from_numpy(expected))


@pytest.mark.parametrize("shape", [(3, 5, 4), (3, 5, 2, 4)])
def test_hidden_tokens_do_not_count_even_if_they_are_nan(shape: tuple[int, ...]) -> None:
    output = torch.randn(shape, generator=RNG)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 1, 1]]).bool()
    expected = torch.stack([output[row, mask[row]].flatten(0, -2).mean(dim=0) for row in range(3)])
    output[~mask] = float("nan")
    torch.testing.assert_close(signals(output, nodes="feature", mask=mask, layer="a"), expected)


def test_an_output_without_tokens_needs_no_mask() -> None:
    output = torch.randn(3, 4, generator=RNG)
    assert torch.equal(signals(output, nodes="feature", mask=torch.ones(3, 5).bool(), layer="a"), output)


def test_signals_are_a_float32_copy() -> None:
    output = torch.ones(2, 3, dtype=torch.bfloat16)
    found = signals(output, nodes="unit", mask=None, layer="a")
    output.zero_()
    assert found.dtype == torch.float32
    assert found.min() == 1


def test_half_precision_is_averaged_in_full_precision() -> None:
    output = torch.full((1, 4096, 1), 1.001, dtype=torch.float16)
    found = signals(output, nodes="feature", mask=torch.ones(1, 4096).bool(), layer="a")
    assert found.item() == pytest.approx(output[0, 0, 0].item(), rel=1e-6)


def test_a_layer_with_other_tokens_than_the_mask_is_an_error() -> None:
    with pytest.raises(dt.DnnTopologyError, match="layer 'pool' has 4 tokens where attention_mask has 5"):
        signals(torch.zeros(2, 4, 3), nodes="feature", mask=torch.ones(2, 5).bool(), layer="pool")


@pytest.mark.parametrize(
    ("mask", "message"),
    [(torch.ones(2, 1, 5, 5), "must be"), (torch.tensor([[1, 1], [0, 0]]), "marks no token of sample 1")],
)
def test_a_mask_that_says_nothing_is_an_error(mask: torch.Tensor, message: str) -> None:
    with pytest.raises(dt.DnnTopologyError, match=message):
        token_mask({"attention_mask": mask})


def test_a_batch_may_have_no_mask() -> None:
    assert token_mask({"input_ids": torch.ones(2, 3)}) is None
    assert token_mask({"attention_mask": None}) is None
