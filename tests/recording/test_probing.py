"""What a model calls, and where in its outputs the samples are."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence

import dnn_topology as dt
from dnn_topology.nets._torchvision import torchvision
from tests.recording.test_any_module import Calling, layer, randn, widths


# torch's own, which advises batch_first
@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
@pytest.mark.parametrize("n_steps", [7, 20])
def test_an_encoder_with_time_first_gives_rows_that_are_samples(n_steps: int) -> None:
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0), 1)
    model = Calling(lambda self, x: self.enc(x.transpose(0, 1)).mean(0), enc=encoder)
    x = randn(20, n_steps, 16)
    outputs: list[torch.Tensor] = []
    handle = encoder.layers[0].linear1.register_forward_hook(lambda *call: outputs.append(call[2]))
    found = layer(dt.record(model, [x], layers=["enc.layers.0.linear1"]), "enc.layers.0.linear1")
    handle.remove()
    torch.testing.assert_close(found, outputs[-1].transpose(0, 1).flatten(1))


SEQUENCES = [randn(n, 4) for n in (5, 3, 6, 2)]


def packed_model(*, inside: bool) -> nn.Module:
    """An LSTM on a packed sequence, which is the input or made of it."""

    def forward(self: Any, x: Any, lengths: Any = None) -> torch.Tensor:
        if inside:
            x = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        answer: torch.Tensor = self.act(self.rnn(x)[1][0][-1])
        return answer

    return Calling(forward, rnn=nn.LSTM(4, 6, batch_first=True), act=nn.ReLU())


def batch(*, inside: bool) -> Any:
    if not inside:
        return pack_sequence(SEQUENCES, enforce_sorted=False)
    padded = nn.utils.rnn.pad_sequence(SEQUENCES, batch_first=True)
    return {"x": padded, "lengths": torch.tensor([5, 3, 6, 2])}


@pytest.mark.parametrize("inside", [False, True])
def test_a_packed_sequence_has_as_many_samples_as_sequences(inside: bool) -> None:
    model = packed_model(inside=inside)
    found = layer(dt.record(model, [batch(inside=inside)], layers=["act"]), "act")
    expected = [torch.relu(model.rnn(sequence[None])[1][0][0, 0]) for sequence in SEQUENCES]  # type: ignore[operator]
    torch.testing.assert_close(found, torch.stack(expected).detach())


@pytest.mark.parametrize("inside", [False, True])
def test_states_of_a_packed_sequence_are_averaged_over_its_own_length(inside: bool) -> None:
    model = packed_model(inside=inside)
    found = layer(dt.record(model, [batch(inside=inside)], nodes="feature"), "rnn.0")
    expected = [model.rnn(sequence[None])[0][0].mean(0) for sequence in SEQUENCES]  # type: ignore[operator]
    torch.testing.assert_close(found, torch.stack(expected).detach())
    with pytest.raises(dt.DnnTopologyError, match=r"'rnn.0' returns a packed sequence.*nodes='feature'"):
        dt.record(model, [batch(inside=inside)])


def test_tokens_are_no_channels() -> None:
    vit = torchvision("models").VisionTransformer(16, 8, 1, 2, 12, 24, num_classes=3)
    images = randn(4, 3, 16, 16)
    with pytest.raises(
        dt.DnnTopologyError, match=r"'encoder.layers.encoder_layer_0.mlp.1' has tokens.*nodes='feature'"
    ):
        dt.record(vit, [images], nodes="channel")
    table = dt.list_layers(vit, images)
    counts = {row["layer"]: (row["unit"], row["channel"], row["feature"]) for row in table.to_dict("records")}
    assert counts["encoder.layers.encoder_layer_0.mlp.1"] == (120, 0, 24)
    assert counts["conv_proj"] == (48, 12, 2)


def test_channels_of_a_one_dimensional_convolution_are_channels() -> None:
    model = nn.Sequential(nn.Conv1d(3, 5, 3), nn.BatchNorm1d(5), nn.ReLU())
    assert widths(dt.record(model, [randn(6, 3, 9)], nodes="channel")) == {"2": 5}


def test_looking_at_a_model_leaves_its_attributes_and_buffers_as_a_plain_pass_would() -> None:
    class Counting(nn.Module):
        total: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.calls = 0
            self.register_buffer("total", torch.zeros(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            self.total += len(x)
            return x * self.calls

    model = Counting()
    found = dt.record(model, [randn(5, 4)])
    torch.testing.assert_close(layer(found, "output"), randn(5, 4))
    assert (model.calls, int(model.total)) == (1, 5)


def test_a_model_for_one_number_of_samples_is_recorded() -> None:
    model = Calling(lambda self, x: self.act(x.view(5, 6)), act=nn.ReLU())
    assert widths(dt.record(model, [randn(5, 6)])) == {"act": 6}


def test_where_samples_cannot_be_told_from_time_the_layer_is_refused() -> None:
    model = Calling(lambda self, x: self.rnn(x.view(5, 5, 6).transpose(0, 1))[0][-1], rnn=nn.LSTM(6, 4))
    with pytest.raises(dt.DnnTopologyError, match="batch_first=False"):
        dt.record(model, [randn(5, 5, 6)])
