"""
A transformer: features as nodes
================================

A small encoder of PyTorch reads an image as eight tokens, its rows. A node is a feature, averaged over the tokens
(``nodes="feature"``). Untrained, both layers have about as many loops; after training the second has more.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn

import dnn_topology as dt


class Reader(nn.Module):
    """Rows of an image → classes."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(8, 64)
        self.first = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True)
        self.second = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True)
        self.classes = nn.Linear(64, 10)

    def forward(self, images):
        return self.classes(
            self.second(self.first(self.embed(images.flatten(0, 1)))).mean(dim=1)
        )


torch.manual_seed(0)
data = dt.load_data("digits")
model = Reader()
inputs = [data.train.tensors[0][:500]]
options = {"nodes": "feature", "max_dim": 1, "max_epsilon": 0.45}
curves = {
    f"{name}, untrained": dt.measure(model, inputs, layers=[name], **options)
    for name in ("first", "second")
}
history = dt.train(model, data, epochs=8, lr=0.05)
curves |= {
    f"{name}, trained": dt.measure(model, inputs, layers=[name], **options)
    for name in ("first", "second")
}

figure, axes = plt.subplots(
    2, 1, figsize=(7.2, 6), sharex=True, sharey=True, layout="constrained"
)
for ax, when in zip(axes, ("untrained", "trained"), strict=True):
    layers = {name: curves[f"{name}, {when}"] for name in ("first", "second")}
    dt.plot_betti_curves(layers, dim=1, ax=ax)
    ax.set_title(when)
for name, m in curves.items():
    print(f"{name}: {m.summary.loc[1, 'count']:.0f} loops")
print(f"train accuracy {history['train_accuracy'].iloc[-1]:.2f}")
