from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

import dnn_topology as dt
from dnn_topology.monitors.tensorboard import to_tensorboard
from dnn_topology.nets._torchvision import torchvision
from tests.monitors.test_tensorboard import events

torchvision()
transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from dnn_topology.monitors.huggingface import TopologyCallback

# Sentences of the zen of Python, labelled by whether they compare.
ZEN = (
    ("beautiful is better than ugly", 1),
    ("explicit is better than implicit", 1),
    ("simple is better than complex", 1),
    ("complex is better than complicated", 1),
    ("flat is better than nested", 1),
    ("sparse is better than dense", 1),
    ("readability counts", 0),
    ("special cases are not special enough to break the rules", 0),
    ("errors should never pass silently", 0),
    ("in the face of ambiguity refuse the temptation to guess", 0),
    ("now is better than never", 1),
    ("namespaces are one honking great idea", 0),
)


def encoded() -> list[dict[str, Any]]:
    """The sentences as token numbers, without padding."""
    words = sorted({word for sentence, _ in ZEN for word in sentence.split()})
    return [
        {"input_ids": [words.index(word) + 1 for word in sentence.split()], "labels": label} for sentence, label in ZEN
    ]


def collate(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Pad a batch to its longest sentence."""
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(row["input_ids"]) for row in rows], batch_first=True)
    return {
        "input_ids": ids,
        "attention_mask": (ids > 0).long(),
        "labels": torch.tensor([row["labels"] for row in rows]),
    }


def bert() -> Any:
    config = transformers.BertConfig(
        vocab_size=64, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    return transformers.BertForSequenceClassification(config)


def monitor(**options: Any) -> dt.TopologyMonitor:
    rows = encoded()
    return dt.TopologyMonitor([collate(rows[:6]), collate(rows[6:])], nodes="feature", max_dim=1, **options)


def train(model: Any, folder: Path, callbacks: list[Any], **options: Any) -> Any:
    arguments = transformers.TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=4,
        use_cpu=True,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
        seed=1,
        **options,
    )
    trainer = transformers.Trainer(model, arguments, collate, encoded(), callbacks=callbacks)
    trainer.train()
    return trainer


def test_it_measures_before_training_and_after_epochs(tmp_path: Path) -> None:
    model, watcher = bert(), monitor(every=2)
    train(model, tmp_path, [TopologyCallback(watcher)], num_train_epochs=4)
    assert list(watcher.measurements) == [0, 2, 4]
    last = monitor()(model, 4)
    assert last
    assert last.diagrams == watcher.measurements[4].diagrams


def test_the_numbers_stand_in_the_log_history(tmp_path: Path) -> None:
    watcher = monitor()
    trainer = train(bert(), tmp_path, [TopologyCallback(watcher)], num_train_epochs=2)
    logged = {row["epoch"]: row for row in trainer.state.log_history if "topology/H0/life" in row}
    assert {epoch: row["step"] for epoch, row in logged.items()} == {0: 0, 1: 3, 2: 6}
    table = watcher.table.set_index(["epoch", "dim"])
    assert logged[2]["topology/H0/life"] == table.loc[(2, 0), "life"]


def test_an_epoch_cut_short_counts_as_one(tmp_path: Path) -> None:
    watcher = monitor()
    train(bert(), tmp_path, [TopologyCallback(watcher)], max_steps=4)
    assert list(watcher.measurements) == [0, 1, 2]


def test_the_trainers_own_tensorboard_writer_serves_both(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(tmp_path / "events")
    watcher = monitor(on_measure=to_tensorboard(writer))
    callbacks = [transformers.integrations.TensorBoardCallback(writer), TopologyCallback(watcher)]
    train(bert(), tmp_path, callbacks, num_train_epochs=1, logging_steps=1)
    read = events(tmp_path / "events")
    assert [event.step for event in read.Scalars("topology/H0/count")] == [0, 1]
    assert len(read.Scalars("train/loss")) == 3
    assert "topology/H1/betti_curve" in read.Tags()["images"]


def test_training_ends_with_the_same_weights_as_without(tmp_path: Path) -> None:
    ends = []
    start = bert().state_dict()
    for callbacks in ([], [TopologyCallback(monitor())]):
        model = bert()
        model.load_state_dict(start)
        train(model, tmp_path, callbacks, num_train_epochs=2)
        ends.append(model.state_dict())
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    assert not all(torch.equal(ends[0][name], start[name]) for name in start)
    assert not any(math.isnan(float(value.float().sum())) for value in ends[0].values())


def test_early_stopping_ends_the_training(tmp_path: Path) -> None:
    rows = encoded()
    batches = [collate(rows[:6]), collate(rows[6:])]
    stopping = dt.TopologicalEarlyStopping(batches, rule="midlife", nodes="feature", patience=2, min_delta=0.99)
    trainer = train(bert(), tmp_path, [TopologyCallback(stopping)], num_train_epochs=9)
    assert trainer.state.epoch == 2
    assert stopping.should_stop


@pytest.mark.parametrize("monitor", [None, "monitor", lambda *_: None])
def test_what_is_no_monitor_is_refused_before_any_training(monitor: Any) -> None:
    with pytest.raises(dt.DnnTopologyError, match="monitor must be a TopologyMonitor, found"):
        TopologyCallback(monitor)
