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
        dt.record(model, [batch(inside=inside)], layers=["rnn.0"])


class Tagger(nn.Module):
    """Sequences, packed as torch's own default wants them, longest first; a layer on what is unpacked and flattened."""

    def __init__(self, *, batch_first: bool) -> None:
        super().__init__()
        self.rnn, self.act = nn.LSTM(4, 6, batch_first=batch_first), nn.ReLU()

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        first = self.rnn.batch_first
        packed = pack_padded_sequence(x if first else x.transpose(0, 1), lengths, batch_first=first)
        padded, _ = nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
        answer: torch.Tensor = self.act(padded.reshape(-1, 6)).view(*padded.shape[:2], 6)
        return answer


@pytest.mark.parametrize("batch_first", [True, False])
def test_a_packed_lstm_is_recorded_by_default_as_sample_by_sample(batch_first: bool) -> None:
    model = Tagger(batch_first=batch_first)
    ordered = sorted(SEQUENCES, key=len, reverse=True)
    batch = {"x": nn.utils.rnn.pad_sequence(ordered, batch_first=True), "lengths": torch.tensor([*map(len, ordered)])}
    acts = dt.record(model, [batch])
    one_by_one = [model.rnn(each[None] if batch_first else each[:, None]) for each in ordered]
    last = torch.stack([h.reshape(-1) for _, (h, _) in one_by_one])
    states = nn.utils.rnn.pad_sequence([states.reshape(-1, 6) for states, _ in one_by_one], batch_first=True)
    assert widths(acts) == {"rnn.1.0": 6, "act": 36, "output": 36}
    torch.testing.assert_close(layer(acts, "rnn.1.0"), last.detach())
    torch.testing.assert_close(layer(acts, "act"), torch.relu(states).flatten(1).detach())


def test_packed_sequences_of_one_length_are_units() -> None:
    model = nn.LSTM(4, 6)
    x = randn(5, 3, 4)
    found = layer(dt.record(model, [pack_sequence([*x])], layers=["output.0"]), "output.0")
    torch.testing.assert_close(found, torch.stack([model(each)[0].flatten() for each in x]).detach())


def folding(*, samples_first: bool) -> nn.Module:
    """A network that applies layers to each of several images per sample by folding these into the samples."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        n_samples, n_steps = x.shape[:2]
        images = x if samples_first else x.transpose(0, 1)
        maps = self.act(self.conv(images.flatten(0, 1))).mean((2, 3))
        shape = (n_samples, n_steps, 5) if samples_first else (n_steps, n_samples, 5)
        answer: torch.Tensor = maps.view(shape).mean(1 if samples_first else 0)
        return answer

    return Calling(forward, conv=nn.Conv2d(3, 5, 3), act=nn.ReLU())


@pytest.mark.parametrize("samples_first", [True, False])
@pytest.mark.parametrize("sizes", [(6,), (4, 2), (5, 1)])
def test_rows_that_are_samples_and_steps_are_given_back_to_their_samples(
    samples_first: bool, sizes: tuple[int, ...]
) -> None:
    model, x = folding(samples_first=samples_first), randn(6, 4, 3, 7, 7)
    batches = torch.split(x, [*sizes])
    one_by_one = torch.stack([torch.relu(model.conv(each)) for each in x]).detach()  # type: ignore[operator]
    units = dt.record(model, batches, layers=["act"])
    torch.testing.assert_close(torch.from_numpy(units.values), one_by_one.flatten(1))
    channels = dt.record(model, batches, layers=["act"], nodes="channel")
    torch.testing.assert_close(torch.from_numpy(channels.values), one_by_one.mean((1, 3, 4)))
    table = dt.list_layers(model, x, layers=["act"])
    assert table[["unit", "channel", "feature"]].to_numpy().tolist() == [[500, 5, 5]]


@pytest.mark.parametrize("lengths", [(5, 5, 4, 6), (6, 4, 5, 5), (6, 6, 4, 4)])
@pytest.mark.parametrize("time_first", [True, False])
def test_chosen_steps_that_are_as_many_as_a_fold_by_chance_are_refused(
    lengths: tuple[int, ...], time_first: bool
) -> None:
    def forward(self: Any, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        mask = torch.arange(x.shape[1])[None] < lengths[:, None]
        chosen = x.transpose(0, 1)[mask.T] if time_first else x[mask]
        self.act(chosen)
        return x.sum(1)

    model = Calling(forward, act=nn.ReLU())
    batches = [{"x": randn(4, 6, 3), "lengths": torch.tensor(each)} for each in ((5, 5, 5, 5), lengths)]
    with pytest.raises(dt.DnnTopologyError, match="'act' folds another dimension"):
        dt.record(model, batches, layers=["act"])


def test_the_data_of_a_packed_sequence_are_refused() -> None:
    model = Calling(lambda self, packed: self.act(self.rnn(packed)[0].data), rnn=nn.LSTM(4, 6), act=nn.ReLU())
    for lengths in ((5, 5, 5, 5), (6, 6, 4, 4)):
        with pytest.raises(dt.DnnTopologyError, match="'act' folds another dimension"):
            dt.record(model, [pack_sequence([randn(n, 4) for n in lengths])], layers=["act"])


def test_looking_at_folded_rows_leaves_attributes_and_hooks_as_a_plain_pass_would() -> None:
    model, calls = folding(samples_first=True), []
    model.get_submodule("act").register_forward_hook(lambda *call: calls.append(call[2]))
    dt.record(model, [randn(3, 4, 3, 7, 7)], layers=["act"])
    assert [len(each) for each in calls] == [12]


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (nn.LSTM(4, 6), "the model"),
        (nn.Sequential(nn.GRU(4, 6)), "'0'"),
        (nn.TransformerEncoderLayer(4, 2, 8), "'self_attn'"),
    ],
)
def test_samples_where_a_module_takes_them_for_time_are_refused(model: nn.Module, named: str) -> None:
    with pytest.raises(dt.DnnTopologyError, match=f"enters {named}, .*batch_first=True"):
        dt.record(model, [randn(7, 5, 4)])


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


CONVOLVED = {"conv": nn.Conv2d(3, 6, 3), "fc": nn.Linear(4, 5), "act": nn.ReLU()}


@pytest.mark.parametrize(
    ("move", "channels"),
    [
        (lambda maps: maps, 6),
        (lambda maps: maps.flatten(2), 6),
        (lambda maps: maps.permute(0, 2, 3, 1).movedim(3, 1), 6),
        (lambda maps: maps.transpose(0, 1), 6),
        (lambda maps: maps.permute(0, 2, 3, 1), None),
        (lambda maps: maps.flatten(2).transpose(1, 2), None),
        (lambda maps: maps.flatten(2).permute(2, 0, 1), None),
        (lambda maps: maps.swapaxes(1, 3), None),
    ],
)
def test_channels_stay_known_when_dimensions_are_exchanged(move: Any, channels: int | None) -> None:
    model, images = Calling(lambda self, x: self.act(move(self.conv(x))), **CONVOLVED), randn(5, 3, 8, 8)
    if channels is None:
        with pytest.raises(dt.DnnTopologyError, match="'act' has tokens or places, not channels"):
            dt.record(model, [images], layers=["act"], nodes="channel")
        return
    expected = torch.relu(model.conv(images)).mean((2, 3)).detach()  # type: ignore[operator]
    recorded = dt.record(model, [images], layers=["act"], nodes="channel").values
    torch.testing.assert_close(torch.from_numpy(recorded), expected)


def test_features_of_tokens_that_are_moved_before_them_are_channels() -> None:
    model, tokens = Calling(lambda self, x: self.act(self.fc(x).transpose(1, 2)), **CONVOLVED), randn(6, 7, 4)
    recorded = dt.record(model, [tokens], layers=["act"], nodes="channel").values
    expected = torch.relu(model.fc(tokens)).mean(1).detach()  # type: ignore[operator]
    torch.testing.assert_close(torch.from_numpy(recorded), expected)


def test_a_model_for_one_number_of_samples_is_recorded() -> None:
    model = Calling(lambda self, x: self.act(x.view(5, 6)), act=nn.ReLU())
    assert widths(dt.record(model, [randn(5, 6)])) == {"act": 6}


def test_where_samples_cannot_be_told_from_time_the_layer_is_refused() -> None:
    model = Calling(lambda self, x: self.rnn(x.view(5, 5, 6).transpose(0, 1))[0][-1], rnn=nn.LSTM(6, 4))
    with pytest.raises(dt.DnnTopologyError, match="batch_first=False"):
        dt.record(model, [randn(5, 5, 6)])
