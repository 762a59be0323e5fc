"""
Neural persistence beside functional loops
==========================================

Neural persistence (Rieck et al. 2019) looks at weights alone: how much strong ones stand out. The loops of functional
graphs look at answers alone. Over a training both move, not in step.
"""

import matplotlib.pyplot as plt
from torch import nn

import dnn_topology as dt
from dnn_topology.homology.neural_persistence import neural_persistence

data = dt.load_data("digits_gray28", train_size=600)
net = dt.build_net("lenet_300_100")
monitor = dt.TopologyMonitor(
    [data.train.tensors[0][:400]], every=2, max_dim=1, min_persistence=0.02
)
strengths = {}


def look(state):
    """Measure both."""
    if monitor(net, state.epoch):
        layers = [
            module.weight.detach()
            for module in net.modules()
            if isinstance(module, nn.Linear)
        ]
        strengths[state.epoch] = neural_persistence(layers)


dt.train(net, data, epochs=16, lr=0.05, on_epoch=look)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
left.plot(list(strengths), list(strengths.values()), marker="o")
left.set(xlabel="epoch", ylabel="neural persistence (weights)")
loops = monitor.table.query("dim == 1")
right.plot(loops["epoch"], loops["midlife"], marker="o", color="tab:orange")
right.set(xlabel="epoch", ylabel="midlife of loops, in ε (answers)")
