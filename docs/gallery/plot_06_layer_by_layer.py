"""
Layer by layer
==============

``layers=`` takes one layer at a time. Here the first layer's loops lie at smaller ε than the second's; the whole
network's curve is not their sum, because neurons of one layer fill loops of another and close new ones.
"""

import matplotlib.pyplot as plt

import dnn_topology as dt

data = dt.load_data("digits_gray28")
net = dt.build_net("lenet_300_100")
dt.train(net, data, epochs=10, lr=0.05)
inputs = [data.train.tensors[0][:500]]

names = dt.measure(net, inputs, max_dim=1).layers["layer"].tolist()
curves = {"whole network": dt.measure(net, inputs, max_dim=1, min_persistence=0.02)}
for name in names[:2]:
    curves[name] = dt.measure(net, inputs, layers=[name], max_dim=1, min_persistence=0.02)
figure, ax = plt.subplots(figsize=(6.8, 3.8), layout="constrained")
dt.plot_betti_curves(curves, dim=1, ax=ax)
for name, m in curves.items():
    print(
        f"{name}: {m.diagrams.n_nodes} nodes that vary, {m.summary.loc[1, 'count']:.0f} loops"
    )
