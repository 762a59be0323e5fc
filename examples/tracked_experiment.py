"""Log the shape of a network beside its loss with trackio, which keeps everything on this computer.

Run: pip install trackio; python examples/tracked_experiment.py; trackio show

`wandb.log` and `mlflow.log_metrics` serve in the place of `trackio.log`.
"""

from __future__ import annotations

import torch
import trackio
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader

import dnn_topology as dt

torch.manual_seed(0)
data = dt.load_data("digits", shape=(1, 8, 8))
loader = DataLoader(data.train, batch_size=128, shuffle=True)
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

trackio.init(project="shape-of-digits", name="mlp", auto_log_gpu=False)
monitor = dt.TopologyMonitor(loader, every=2, max_dim=1, log=trackio.log)
monitor(model, 0)
for epoch in range(1, 7):
    for images, labels in loader:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
    trackio.log({"loss": loss.item()}, step=epoch)
    monitor(model, epoch)
trackio.finish()

print(
    monitor.table.query("dim == 1")[["epoch", "count", "life", "midlife", "betti_max"]].round(4).to_string(index=False)
)
