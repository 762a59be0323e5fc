from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError
from dnn_topology.nets.data import DataSet, load_data, sample
from dnn_topology.nets.train import EpochRecord, TrainingState, evaluate, save_weights, train
from dnn_topology.nets.zoo import build_net
from dnn_topology.recording.state_dicts import load_weights


@pytest.fixture(scope="module")
def data() -> DataSet:
    whole = load_data("digits", shape=(1, 28, 28))
    return replace(whole, train=sample(whole.train, 400))


def trained(data: DataSet, epochs: int, **options: Any) -> tuple[nn.Module, pd.DataFrame, list[TrainingState]]:
    net, states = build_net("lenet"), list[TrainingState]()
    history = train(net, data, epochs=epochs, lr=0.05, on_epoch=states.append, **options)
    return net, history, states


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_training_lowers_the_loss_and_raises_the_accuracy(data: DataSet) -> None:
    history = train(build_net("lenet_300_100"), data, epochs=5, lr=0.05)
    assert history["train_loss"].iloc[-1] < 0.5 * history["train_loss"].iloc[0]
    assert history["test_accuracy"].iloc[-1] > 0.6


def test_the_history_has_a_row_for_every_epoch_from_zero(data: DataSet) -> None:
    _, history, states = trained(data, 2)
    assert history["epoch"].tolist() == [0, 1, 2] == [state.epoch for state in states]
    assert list(history) == list(EpochRecord.__dataclass_fields__)


def test_the_same_seed_trains_the_same_weights_whatever_the_global_random_state(data: DataSet) -> None:
    torch.manual_seed(1)
    first, _, _ = trained(data, 2)
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    second, _, _ = trained(data, 2)
    assert same(first, second)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not same(first, trained(data, 2, seed=1)[0])


def test_every_epoch_takes_all_images_in_an_order_of_its_own(data: DataSet) -> None:
    net, seen = build_net("lenet_300_100"), list[torch.Tensor]()
    net.register_forward_pre_hook(lambda module, args: seen.append(args[0].flatten(1)) if module.training else None)
    train(net, data, epochs=2, batch_size=len(data.train))
    first, second = seen
    whole = data.train[range(len(data.train))][0].flatten(1)
    assert not torch.equal(first, second)
    assert torch.equal(first.sort(0).values, second.sort(0).values)
    assert torch.equal(first.sort(0).values, whole.sort(0).values)


@pytest.mark.parametrize("stop", [0, 1, 2])
def test_a_resumed_training_ends_as_an_uninterrupted_one(data: DataSet, stop: int, tmp_path: Path) -> None:
    whole, history, states = trained(data, 3)
    states[stop].save(tmp_path / "state.pt")
    resumed, again, later = trained(data, 3, resume=TrainingState.load(tmp_path / "state.pt"))
    assert same(whole, resumed)
    pd.testing.assert_frame_equal(again, history)
    assert [state.epoch for state in later] == list(range(stop + 1, 4))


def test_the_schedule_halves_the_rate_on_a_plateau_of_the_training_loss(data: DataSet) -> None:
    # A learning rate of nearly nothing is a plateau; ReduceLROnPlateau lets 10 epochs without progress pass.
    few = replace(data, train=sample(data.train, 60), test=sample(data.test, 2))
    rates = train(build_net("lenet_300_100"), few, epochs=13, lr=1e-6)["lr"]
    assert rates.tolist() == [1e-6] * 13 + [5e-7]


def test_a_weight_decay_keeps_the_weights_small(data: DataSet) -> None:
    def norm(decay: float) -> float:
        net, _, _ = trained(data, 2, weight_decay=decay)
        return float(torch.cat([weights.detach().flatten() for weights in net.parameters()]).norm())

    usual, strong, none = norm(5e-4), norm(0.1), norm(0.0)
    assert strong < usual < none
    assert same(trained(data, 1)[0], trained(data, 1, weight_decay=5e-4)[0])


def test_test_data_decide_nothing(data: DataSet) -> None:
    other = replace(data, test=sample(data.test, 10, seed=5))
    assert same(trained(data, 2)[0], trained(other, 2)[0])


def test_returning_true_stops_the_training(data: DataSet) -> None:
    history = train(build_net("lenet"), data, epochs=5, on_epoch=lambda state: state.epoch == 1)
    assert history["epoch"].tolist() == [0, 1]


def test_a_state_is_a_copy_that_later_epochs_leave_alone(data: DataSet) -> None:
    _, _, states = trained(data, 1)
    assert not torch.equal(states[0].model["fc2.0.weight"], states[1].model["fc2.0.weight"])


def test_evaluation_is_the_definition_and_keeps_the_mode(data: DataSet) -> None:
    net = build_net("lenet").train()
    loss, accuracy = evaluate(net, data.test)
    assert net.training
    images, labels = data.test.tensors
    output = net.eval()(images).detach()
    assert loss == pytest.approx(-float(output[torch.arange(len(labels)), labels].mean()), rel=1e-5)
    assert accuracy == pytest.approx(float((output.argmax(1) == labels).float().mean()))


def test_a_diverging_training_is_an_error_with_the_remedy(data: DataSet) -> None:
    with pytest.raises(DnnTopologyError, match=r"training diverged: the loss of epoch .* lower the lr"):
        train(build_net("lenet_300_100"), data, epochs=3, lr=1e12)


@pytest.mark.parametrize(
    "options",
    [
        {"lr": 0.0},
        {"lr": float("nan")},
        {"epochs": -1},
        {"batch_size": 0},
        {"weight_decay": -1.0},
        {"seed": -1},
        {"seed": 0.5},
    ],
)
def test_arguments_out_of_range_are_refused(data: DataSet, options: dict[str, Any]) -> None:
    with pytest.raises(DnnTopologyError):
        train(build_net("lenet"), data, **{"epochs": 1, **options})


def test_saved_weights_are_the_weights(data: DataSet, tmp_path: Path) -> None:
    net, _, states = trained(data, 1)
    save_weights(tmp_path / "w.pt", states[-1])
    fresh = build_net("lenet", seed=9)
    load_weights(tmp_path / "w.pt", fresh)
    assert same(net, fresh)


def test_weights_of_another_network_are_refused(data: DataSet, tmp_path: Path) -> None:
    save_weights(tmp_path / "w.pt", trained(data, 0)[2][0])
    with pytest.raises(DnnTopologyError, match="does not fit this network"):
        load_weights(tmp_path / "w.pt", build_net("lenet_300_100"))


@pytest.mark.parametrize("stop", [0, 1, 2])
def test_a_file_of_a_state_has_the_same_bytes_wherever_the_training_was_interrupted(
    data: DataSet, stop: int, tmp_path: Path
) -> None:
    _, _, states = trained(data, 3)
    states[3].save(tmp_path / "whole.pt")
    states[stop].save(tmp_path / "state.pt")
    resumed = trained(data, 3, resume=TrainingState.load(tmp_path / "state.pt"))[2]
    resumed[-1].save(tmp_path / "resumed.pt")
    TrainingState.load(tmp_path / "resumed.pt").save(tmp_path / "again.pt")
    whole = (tmp_path / "whole.pt").read_bytes()
    assert whole == (tmp_path / "resumed.pt").read_bytes() == (tmp_path / "again.pt").read_bytes()
    for name, state in (("a", states[3]), ("b", resumed[-1])):
        save_weights(tmp_path / f"{name}.pt", state)
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


@pytest.mark.parametrize("option", [{"lr": 0.1}, {"batch_size": 64}, {"weight_decay": 0.0}, {"seed": 3}])
def test_resuming_with_another_recipe_is_refused(data: DataSet, option: dict[str, float]) -> None:
    state = trained(data, 1)[2][1]
    (name,) = option
    with pytest.raises(DnnTopologyError, match=f"{name} is .* and the training to resume began with .*: leave it out"):
        train(build_net("lenet"), data, epochs=2, resume=state, **option)  # type: ignore[arg-type]
    old = replace(state, recipe={})  # of a version that did not write it: what its other parts say is held against
    if name in {"lr", "weight_decay"}:
        with pytest.raises(DnnTopologyError, match="leave it out"):
            train(build_net("lenet"), data, epochs=2, resume=old, **option)  # type: ignore[arg-type]
    train(build_net("lenet"), data, epochs=1, resume=old, lr=0.05)


def test_resuming_without_a_word_goes_on_with_the_recipe_of_the_state(data: DataSet) -> None:
    options = {"lr": 0.05, "batch_size": 50, "weight_decay": 0.01, "seed": 2}
    whole, states = build_net("lenet"), list[TrainingState]()
    train(whole, data, epochs=2, on_epoch=states.append, **options)  # type: ignore[arg-type]
    resumed = build_net("lenet", seed=5)
    train(resumed, data, epochs=2, resume=states[1])
    assert same(whole, resumed)


def test_a_state_of_another_network_is_refused_in_one_line(data: DataSet) -> None:
    state = trained(data, 0)[2][0]
    with pytest.raises(DnnTopologyError, match=r"does not fit this model: .*give the model that it") as caught:
        train(build_net("lenet_300_100"), data, epochs=1, resume=state)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 cut off"])
def test_a_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(content)
    with pytest.raises(DnnTopologyError, match="is damaged"):
        load_weights(path, build_net("lenet"))
    with pytest.raises(DnnTopologyError, match="is damaged"):
        TrainingState.load(path)


def test_pickled_code_is_never_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "exploded",))

    torch.save({"epoch": 0, "model": Bomb()}, tmp_path / "w.pt")
    with pytest.raises(DnnTopologyError, match="more than tensors and plain values"):
        load_weights(tmp_path / "w.pt", build_net("lenet"))
    assert not (tmp_path / "exploded").exists()


def test_a_file_without_a_training_state_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 0}, tmp_path / "state.pt")
    with pytest.raises(DnnTopologyError, match="is no training state"):
        TrainingState.load(tmp_path / "state.pt")
