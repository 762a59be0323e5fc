"""
MNIST while it is learned
=========================

A perceptron on 4,000 MNIST images, measured after each of the first epochs on the same 500 training inputs. Most of the
movement is in the first few epochs: loops come to lie among more strongly correlated neurons.
"""

import matplotlib.pyplot as plt

import dnn_topology as dt

data = dt.load_data("mnist-5k")
net = dt.build_net("lenet_300_100")
monitor = dt.TopologyMonitor([data.train.tensors[0][:500]], max_dim=1, min_persistence=0.02)
history = dt.train(
    net, data, epochs=8, lr=0.02, on_epoch=lambda state: monitor(net, state.epoch) and None
)

figure, ax = plt.subplots(figsize=(6.8, 3.8), layout="constrained")
dt.plot_betti_curves(monitor.measurements, dim=1, ax=ax)

# %%
# The same in numbers, beside the accuracy.

figure, ax = plt.subplots(figsize=(6.4, 7), layout="constrained")
dt.plot_history(monitor.table, history, ax=ax)
