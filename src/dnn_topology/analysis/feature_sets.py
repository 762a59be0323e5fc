"""Which numbers of a network a model of its gap may look at, set by set; all of training inputs and settings alone."""

from __future__ import annotations

from typing import Final

SPREAD = ("h0_death_mean", "h0_death_std", "h1_birth_mean", "h1_birth_std", "h1_death_mean", "h1_death_std")
TRAINING = ("train_loss", "train_accuracy")  # as they are measured
EARLY = "early_"  # of the same network at the first epoch that was measured after training began
# A column "net=*" stands for one column per network of the table: 1 where a row is of it, else 0.
CATEGORY = "="
EVERY = "=*"
# "log(train_loss)" is made from the column in the brackets: log(max(value, LEAST_LOSS)). One network whose loss ran off
# would make nonsense of a line in the loss itself.
LOGARITHM = "log({})"
LEAST_LOSS = 1e-3  # below it, a smaller loss says nothing of the gap
# What a user knows of a network without running it. Not how many labels are wrong: who trains does not know that.
SETTINGS = (
    *("log_n_train", "log_n_parameters", "log_lr", "log_batch_size", "log_weight_decay", "dropout_share"),
    *("net=*", "dataset=*"),
)
PERTURBATION = (
    *("mixup_accuracy", "mixup_log_loss", "noise_accuracy", "noise_log_loss", "shift_accuracy", "shift_log_loss"),
    *("margin_median", "margin_low", "log_davies_bouldin_first", "log_davies_bouldin_last"),
)
PLACES = ("input", "first", "last", "output")  # the inputs, the first and the last hidden layer, and the output
PURITY = tuple(f"purity_{place}" for place in PLACES)
# How often the network is right on its training inputs, and how often it says there what all the others would say.
LEAVE_ONE_OUT = ("train_accuracy", "loo_agreement")
SAMPLE_TREE = (*PURITY, *(f"tree_{what}_{place}" for place in PLACES for what in ("length", "spread")))

_LOSS, _ACCURACY = TRAINING
_TRAINING = (LOGARITHM.format(_LOSS), _ACCURACY, LOGARITHM.format(EARLY + _LOSS), EARLY + _ACCURACY)
# Of the graph of neurons. H0 is born at 0 throughout, so its births say nothing and are in no set.
TOPOLOGICAL: dict[str, tuple[str, ...]] = {
    "lambda-mu": ("life", "midlife"),
    "asd": SPREAD,
    "asdsq": (*SPREAD, *(f"{name}^2" for name in SPREAD)),
    "asd-early": (*SPREAD, *(f"{EARLY}{name}" for name in SPREAD)),
}
# Of no graph of neurons: what those have to add something to.
OTHERS: dict[str, tuple[str, ...]] = {
    "training": _TRAINING,
    "settings": SETTINGS,
    "settings+training": (*SETTINGS, *_TRAINING),
    "perturbation": PERTURBATION,
    "perturbation+training": (*PERTURBATION, *_TRAINING),
    "purity": PURITY,
    "purity+training": (*PURITY, *_TRAINING),
    "perturbation+purity+training": (*PERTURBATION, *PURITY, *_TRAINING),
    "sample-tree": SAMPLE_TREE,
    "leave-one-out": LEAVE_ONE_OUT,
}
# What takes long to measure: diagrams of the neurons' graph, and what a network does with some changed inputs and how
# these lie in its layers.
PARTS: Final = {"graph", "inputs"}
# Chosen on 232 networks; on 144 trained later none of these sets erred less. docs/reproduction.md has how well.
BEST_SET: Final = "leave-one-out"
BEST_METHOD: Final = "gaussian-process"
FEATURE_SETS: dict[str, tuple[str, ...]] = {**TOPOLOGICAL, **OTHERS}
