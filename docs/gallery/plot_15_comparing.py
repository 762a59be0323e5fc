"""
Two groups of trainings compared: more than the seed's difference?
==================================================================

True labels against permuted ones, four seeds of either. `compare` takes the largest difference of
the groups' mean curves, and asks in how many of the ways to part the eight trainings into two
groups it would have been as large. With so few trainings no p-value can be small: it says so.
"""

import textwrap

import matplotlib.pyplot as plt

import dnn_topology as dt

groups = {}
for name, permuted in (("true labels", 0.0), ("permuted labels", 1.0)):
    data = dt.load_data("digits_gray28", permute_labels=permuted, train_size=400)
    groups[name] = []
    for seed in range(4):
        net = dt.build_net("mlp", seed=seed)
        dt.train(net, data, epochs=20, lr=0.05, seed=seed, test=None)
        inputs = [data.train.tensors[0]]
        groups[name].append(dt.measure(net, inputs, max_dim=1, min_persistence=0.02))

figure, ax = plt.subplots(figsize=(6.8, 3.8), layout="constrained")
for (name, trials), colour in zip(groups.items(), ("tab:blue", "tab:orange"), strict=True):
    for seed, m in enumerate(trials):
        ax.step(
            *m.diagrams.betti_curve(1),
            where="post",
            color=colour,
            label=None if seed else name,
        )
ax.set(xlabel="scale ε", ylabel="loops living longer than 0.02")
ax.legend(frameon=False)

# %%

comparison = dt.compare(groups)
print(*(textwrap.fill(note, 84) for note in comparison.notes), sep="\n")
comparison.curves.query("dim == 1")[
    ["first", "second", "difference", "epsilon", "p", "p_corrected"]
].round(3)
