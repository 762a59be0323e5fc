"""
Permuted labels: what memorising looks like
===========================================

The same network, once on true labels and once with all training labels permuted, so that there is nothing to learn
but the images by heart. Both start alike; with true labels the loops move to small ε and stay there, with permuted
ones they move back. One pair of trainings is an example, no evidence: that is on the page :doc:`/reproduction`.
"""

import matplotlib.pyplot as plt

import dnn_topology as dt

figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for ax, permuted in zip(axes, (0.0, 1.0), strict=True):
    data = dt.load_data("digits_gray28", permute_labels=permuted, train_size=600)
    net = dt.build_net("lenet_300_100")
    monitor = dt.TopologyMonitor(
        [data.train.tensors[0][:400]], every=10, max_dim=1, min_persistence=0.02
    )
    history = dt.train(
        net,
        data,
        epochs=40,
        lr=0.05,
        on_epoch=lambda state, m=monitor, n=net: m(n, state.epoch) and None,
    )
    dt.plot_betti_curves(monitor.measurements, dim=1, ax=ax)
    ax.set_title("true labels" if not permuted else "permuted labels")
    last = history.iloc[-1]
    midlife = monitor.table.query("dim == 1 and epoch == 40")["midlife"].item()
    print(
        f"{permuted:.0%} permuted: train accuracy {last['train_accuracy']:.2f}, "
        f"test accuracy {last['test_accuracy']:.2f}, midlife {midlife:.3f}"
    )
