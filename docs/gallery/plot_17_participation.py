"""
Which neurons the loops run through
===================================

Every cavity has a cycle of neurons; adding up over all of them says who takes part, and for how long. In this small
convolutional network most of the life of H1 lies across layers, and few units carry much of it. Below, the
longest-lived loop, and beside it the images that excite each of its neurons most.
"""

import matplotlib.pyplot as plt
import torch

import dnn_topology as dt

torch.manual_seed(0)
data = dt.load_data("digits", shape=(1, 8, 8))
net = torch.nn.Sequential(
    torch.nn.Conv2d(1, 6, 3),
    torch.nn.ReLU(),
    torch.nn.Flatten(),
    torch.nn.Linear(216, 32),
    torch.nn.ReLU(),
    torch.nn.Linear(32, 10),
)
dt.train(net, data, epochs=10, lr=0.1)
images = data.train.tensors[0][:500]
activations = dt.record(net, [images])
graph = dt.functional_graph(activations, max_epsilon=0.3)

taking_part = dt.participation(graph, min_persistence=0.02, tight="bar")
figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
dt.plot_participation(taking_part, ax=ax)
print(taking_part.layers.head(4).round(2).to_string(index=False))

# %%
# The longest-lived loop, in the network.

longest = dt.cavities(graph, top=1, tight="bar")[0]
figure, ax = plt.subplots(figsize=(9.5, 3.2), layout="constrained")
dt.plot_cavity(longest, graph, inputs=images, activations=activations, ax=ax)
