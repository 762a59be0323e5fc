"""
When to stop, from training inputs alone
========================================

A training on few images of which half have permuted labels, so that it first learns and then memorises. The rule
keeps the last epoch at which the midlife of the loops was near its lowest; test accuracy is drawn beside it and
decided nothing. How often this goes well is on the page :doc:`/reproduction`.
"""

import textwrap

import matplotlib.pyplot as plt

import dnn_topology as dt

data = dt.load_data("digits_gray28", train_size=400, permute_labels=0.5)
net = dt.build_net("lenet_300_100")
monitor = dt.TopologyMonitor(
    [data.train.tensors[0][:400]], every=2, max_dim=1, max_epsilon=0.4
)
history = dt.train(
    net, data, epochs=40, lr=0.05, on_epoch=lambda state: monitor(net, state.epoch) and None
)
values = {
    epoch: dt.stopping_quantities(m.diagrams)["midlife"]
    for epoch, m in monitor.measurements.items()
}
decision = dt.StoppingRule("midlife", patience=10).decide(values)

figure, ax = plt.subplots(figsize=(7.2, 4), layout="constrained")
dt.plot_early_stopping(decision, history, ax=ax)
print(textwrap.fill(decision.reason, 84))
