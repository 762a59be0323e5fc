from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader

import dnn_topology as dt
from dnn_topology.monitors.plain import scalars
from dnn_topology.nets._torchvision import torchvision
from tests.monitors.test_tensorboard import events

torchvision()
pl = pytest.importorskip("lightning.pytorch")

from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from dnn_topology.monitors.lightning import TopologyCallback

Loader = DataLoader[tuple[torch.Tensor, ...]]


class Digits(pl.LightningModule):  # type: ignore[misc, name-defined]
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: torch.Tensor) -> Any:
        return self.net(images)

    def training_step(self, batch: Any, batch_idx: int) -> Any:  # noqa: ARG002
        images, labels = batch
        return functional.cross_entropy(self(images), labels)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(net: nn.Module, loader: Loader, **options: Any) -> Any:
    trainer = pl.Trainer(
        accelerator="cpu",
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        **options,
    )
    trainer.fit(Digits(net), loader)
    return trainer


# Lightning's own: one about torch's trees, one that advises more processes for the loader
@pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
class TestCallback:
    def test_it_measures_before_training_and_after_epochs(self, tmp_path: Path, net: nn.Module, digits: Loader) -> None:
        monitor = dt.TopologyMonitor(digits, every=2, max_dim=1)
        fit(net, digits, max_epochs=4, callbacks=[TopologyCallback(monitor)], logger=False, default_root_dir=tmp_path)
        assert list(monitor.measurements) == [0, 2, 4]
        last = dt.TopologyMonitor(digits, max_dim=1)(Digits(net), 4)
        assert last
        assert last.diagrams == monitor.measurements[4].diagrams

    def test_other_callbacks_can_monitor_the_numbers(self, tmp_path: Path, net: nn.Module, digits: Loader) -> None:
        callback = TopologyCallback(dt.TopologyMonitor(digits, max_dim=1))
        trainer = fit(net, digits, max_epochs=1, callbacks=[callback], logger=False, default_root_dir=tmp_path)
        for name, value in scalars(callback.monitor.measurements[1]).items():
            assert trainer.callback_metrics[name].item() == pytest.approx(value)

    def test_a_tensorboard_logger_gets_numbers_and_figures(
        self, tmp_path: Path, net: nn.Module, digits: Loader
    ) -> None:
        pytest.importorskip("tensorboard")
        logger = TensorBoardLogger(tmp_path, name="", version="")
        callback = TopologyCallback(dt.TopologyMonitor(digits, max_dim=1))
        fit(net, digits, max_epochs=2, callbacks=[callback], logger=logger)
        read = events(tmp_path)
        assert len(read.Scalars("topology/H1/count")) == 2
        assert [event.step for event in read.Images("topology/H1/betti_curve")] == [3, 6]

    def test_a_logger_without_figures_gets_the_numbers(self, tmp_path: Path, net: nn.Module, digits: Loader) -> None:
        callback = TopologyCallback(dt.TopologyMonitor(digits, max_dim=1))
        fit(net, digits, max_epochs=1, callbacks=[callback], logger=CSVLogger(tmp_path, name="", version=""))
        assert "topology/H0/midlife" in (tmp_path / "metrics.csv").read_text()

    def test_training_ends_with_the_same_weights_as_without(
        self, tmp_path: Path, net: nn.Module, digits: Loader
    ) -> None:
        start = {name: value.clone() for name, value in net.state_dict().items()}
        ends = []
        for callbacks in ([], [TopologyCallback(dt.TopologyMonitor(digits, max_dim=1))]):
            net.load_state_dict(start)
            torch.manual_seed(3)
            fit(net, digits, max_epochs=2, callbacks=callbacks, logger=False, default_root_dir=tmp_path)
            ends.append({name: value.clone() for name, value in net.state_dict().items()})
        assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])

    def test_early_stopping_ends_the_training(self, tmp_path: Path, net: nn.Module, digits: Loader) -> None:
        stopping = dt.TopologicalEarlyStopping(digits, patience=2, min_delta=0.99)  # nothing falls that far
        options = {"callbacks": [TopologyCallback(stopping)], "logger": False, "default_root_dir": tmp_path}
        trainer = fit(net, digits, max_epochs=9, **options)
        assert trainer.current_epoch == 2
        assert stopping.best_epoch == 0


@pytest.mark.parametrize("monitor", [None, "monitor", lambda *_: None])
def test_what_is_no_monitor_is_refused_before_any_training(monitor: Any) -> None:
    with pytest.raises(dt.DnnTopologyError, match="monitor must be a TopologyMonitor, found"):
        TopologyCallback(monitor)
