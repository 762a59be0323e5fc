"""
Large ε and what it costs
=========================

The graph's edges grow with ε, and triangles, which persistence has to look at, grow far faster. Loops that live at
small ε are found at a fraction of the cost: raise ``max_epsilon`` only as far as the curve goes on.
"""

import time

import matplotlib.pyplot as plt
import pandas as pd

import dnn_topology as dt

data = dt.load_data("digits_gray28")
net = dt.build_net("lenet_300_100")
dt.train(net, data, epochs=5, lr=0.05)
acts = dt.record(net, [data.train.tensors[0][:500]])
dt.persistence(
    dt.functional_graph(acts, max_epsilon=0.1), max_dim=1
)  # engines are compiled at their first use

rows = []
for max_epsilon in (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4):
    graph = dt.functional_graph(acts, max_epsilon=max_epsilon)
    start = time.process_time()
    diagrams = dt.persistence(graph, max_dim=1, threads=1)
    seconds = time.process_time() - start
    rows.append(
        {
            "max_epsilon": max_epsilon,
            "edges": graph.n_edges,
            "loops": len(diagrams[1]),
            "CPU s": seconds,
        }
    )
table = pd.DataFrame(rows)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
table.plot(x="max_epsilon", y=["edges", "loops"], logy=True, marker="o", ax=left)
table.plot(x="max_epsilon", y="CPU s", logy=True, marker="o", ax=right)
table.round(3)
