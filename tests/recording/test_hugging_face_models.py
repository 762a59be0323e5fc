"""Models of `transformers` as their users have them, made from a tiny configuration."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import dnn_topology as dt
from dnn_topology.nets._torchvision import torchvision
from tests.recording.test_any_module import layer, n_hooks, widths

torchvision()
transformers = pytest.importorskip("transformers")

SIZE = {"vocab_size": 50, "num_labels": 3}


def bert() -> Any:
    return transformers.BertForSequenceClassification(
        transformers.BertConfig(
            hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, **SIZE
        )
    )


def gpt2() -> Any:
    return transformers.GPT2ForSequenceClassification(
        transformers.GPT2Config(
            n_embd=16, n_layer=2, n_head=2, n_inner=24, pad_token_id=0, bos_token_id=1, eos_token_id=2, **SIZE
        )
    )


def t5() -> Any:
    return transformers.T5ForConditionalGeneration(
        transformers.T5Config(vocab_size=50, d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2)
    )


@pytest.fixture(autouse=True)
def seeded() -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def sentences(lengths: list[int], *, padding: int = 0, labels: bool = True) -> dict[str, torch.Tensor]:
    """Token numbers of sentences of some lengths, padded to the longest and by some more."""
    n_tokens = max(lengths) + padding
    mask = (torch.arange(n_tokens) < torch.tensor(lengths)[:, None]).long()
    ids = torch.randint(3, 50, (len(lengths), max(lengths)), generator=torch.Generator().manual_seed(1))
    ids = torch.nn.functional.pad(ids, (0, padding)) * mask
    answers = {"labels": torch.arange(len(lengths)) % 3} if labels else {}
    return {"input_ids": ids, "attention_mask": mask, **answers}


ACTIVATIONS = {
    bert: [
        "bert.encoder.layer.0.intermediate.intermediate_act_fn",
        "bert.encoder.layer.1.intermediate.intermediate_act_fn",
    ],
    gpt2: ["transformer.h.0.mlp.act", "transformer.h.1.mlp.act"],
}


@pytest.mark.parametrize("make", [bert, gpt2])
def test_by_default_the_activations_and_the_logits_are_recorded(make: Any) -> None:
    found = dt.record(make(), [sentences([4, 7, 5]), sentences([9, 2])], nodes="feature")
    pooled = {"bert.pooler.activation": 16} if make is bert else {}
    assert widths(found) == {**dict.fromkeys(ACTIVATIONS[make], 24), **pooled, "output.logits": 3}
    assert len(found.values) == 5


@pytest.mark.parametrize("make", [bert, gpt2])
def test_padding_changes_no_feature(make: Any) -> None:
    model = make()
    plain = dt.record(model, [sentences([4, 7, 5])], nodes="feature")
    padded = dt.record(model, [sentences([4, 7, 5], padding=6)], nodes="feature")
    torch.testing.assert_close(torch.from_numpy(plain.values), torch.from_numpy(padded.values), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("make", "name"), [(bert, "bert.encoder.layer.1"), (gpt2, "transformer.h.1")])
def test_a_feature_of_a_block_is_the_mean_of_its_hidden_states_over_the_sentence(make: Any, name: str) -> None:
    model, lengths = make(), [4, 7, 5]
    batch = sentences(lengths)
    found = layer(dt.record(model, [batch], layers=[name], nodes="feature"), name)
    states: list[torch.Tensor] = []
    handle = model.get_submodule(name).register_forward_hook(lambda *call: states.append(call[2]))
    with torch.no_grad():
        model.eval()(**batch)
    handle.remove()
    expected = torch.stack([states[0][row, :n].mean(dim=0) for row, n in enumerate(lengths)])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("make", [bert, gpt2])
def test_recording_leaves_the_model_as_it_was(make: Any) -> None:
    model, batch = make(), sentences([4, 7, 5])
    with torch.no_grad():
        before = model.eval()(**batch).logits
        model.train()
        dt.record(model, [batch], nodes="feature")
        assert model.training
        assert n_hooks(model) == 0
        assert torch.equal(before, model.eval()(**batch).logits)


@pytest.mark.parametrize("make", [bert, gpt2])
def test_a_transformer_is_measured(make: Any) -> None:
    batches = [sentences([4, 7, 5, 6, 3, 8]), sentences([9, 2, 5, 5])]
    measured = dt.measure(make(), batches, nodes="feature", max_dim=1, max_epsilon=0.3)
    assert measured.diagrams.n_nodes == 2 * 24 + 3 + (16 if make is bert else 0)
    assert measured.summary.loc[0, "betti_max"] == measured.diagrams.n_nodes


def test_hidden_states_in_the_output_are_layers_of_their_own() -> None:
    model = bert()
    model.config.output_hidden_states = True
    found = dt.record(model, [sentences([4, 7])], layers=["output.hidden_states"], nodes="feature")
    assert widths(found) == {f"output.hidden_states.{place}": 16 for place in range(3)}


def test_units_of_sentences_of_several_lengths_are_an_error_that_names_the_remedy() -> None:
    with pytest.raises(dt.DnnTopologyError, match="nodes='feature' for tokens"):
        dt.record(bert(), [sentences([4, 7]), sentences([9, 2])])


def test_an_encoder_decoder_is_recorded_by_its_encoder_alone() -> None:
    model, batch = t5(), sentences([4, 7], labels=False)
    with pytest.raises(dt.DnnTopologyError, match="record its encoder alone"):
        dt.record(model, [{**batch, "labels": batch["input_ids"]}], nodes="feature")
    found = dt.record(model.get_encoder(), [batch], nodes="feature")
    assert widths(found) == {"block.0.layer.1.DenseReluDense.act": 24, "output.last_hidden_state": 16}
