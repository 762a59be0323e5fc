"""
Per-sample graphs: one graph an input
=====================================

For one input a neuron has one number. Here the original joins neurons whose numbers *differ*: joining those alike
would put points on a line, which has no loop. Each input then has a curve of its own. As detectors of adversarial
inputs these curves did poorly: see :doc:`/reproduction`.
"""

import matplotlib.pyplot as plt

import dnn_topology as dt

data = dt.load_data("digits_gray28")
net = dt.build_net("lenet_300_100")
dt.train(net, data, epochs=5, lr=0.05)
m = dt.measure(
    net,
    [data.train[list(range(6))]],
    graph_type="per-sample",
    n_samples=6,
    max_dim=1,
    max_epsilon=0.2,
)

figure, ax = plt.subplots(figsize=(7.2, 3.8), layout="constrained")
labels = {
    f"input {number}: a {diagrams.provenance['label']}": diagrams
    for number, diagrams in enumerate(m.graphs.values())
}
dt.plot_betti_curves(labels, dim=1, ax=ax)
