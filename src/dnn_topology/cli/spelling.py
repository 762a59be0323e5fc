"""The spellings that are understood besides our own: the original's flags and names, and lists in one word.

--n_epochs_train 5            → --n-epochs-train 5
--epochs_test '1 5 10'        → --epochs-test 1 5 10
--upper_dim 3                 → --max-dim 2             it counts cells
--dipha PATH                  → --engine dipha:PATH
--graph_type functional_persample, --partition dynamic, … → ours
--select_nodes 1, --resume 1  → --select-nodes, --resume
--subset .5 (0: all)          → --data-subset .5        of its train.py, as --train_batch_size → --batch-size
--thresholds 0.5:1:0.025      → every one from 0.5 to 1; its '0.5 1.0', a range too, are two here, which a line says
"""

from __future__ import annotations

from collections.abc import Sequence

from dnn_topology._checks import DnnTopologyError
from dnn_topology.progress import say
from dnn_topology.settings.ranges import numbers_of_range

# Flags that take every value that follows, up to the next flag.
LISTS = {
    *("--epochs", "--epochs-test", "--dim", "--formats", "--layers", "--thresholds"),
    *("--attack", "--strength", "--detectors", "--batch-sizes"),
}
SWITCHES = {"--select-nodes", "--resume", "--smooth"}
VALUES = {
    "--graph-type": {
        "functional_big_networks": "grouped",
        "functional_big_networks_per_partition": "partitioned",
        "functional_persample": "per-sample",
    },
    "--partition": {
        "hardcoded": "chunks",
        "hardcoded_from_structure": "channels",
        "dynamic": "metis",
        "dynamic_from_structure": "structure-metis",
    },
}


def our_words(words: Sequence[str]) -> list[str]:
    """Return a command line in our own spelling.

    Raises:
        DnnTopologyError: Two spellings of the same thing contradict each other.

    Example:
        >>> our_words(["run", "--n_epochs_train", "5", "--epochs_test", "1, 5", "--upper_dim", "3"])
        ['run', '--n-epochs-train', '5', '--epochs-test', '1', '5', '--max-dim', '2']
    """
    ours: list[str] = []
    flag = ""
    for word in _apart(words):
        if word.startswith("--"):
            flag = "--" + word[2:].replace("_", "-")
            ours.append(flag)
        elif flag in SWITCHES and word in {"0", "1"}:
            del ours[len(ours) - (word == "0") :]  # a switch that is off is not there
            flag = ""
        elif flag in LISTS:
            listed = word.replace(",", " ").split()
            if flag == "--thresholds" and listed != [word] and len(listed) == 2:
                say(f"thresholds {word}: these two; the range that the original means is {':'.join(listed)}:0.025")
            ours += [one for each in listed for one in (numbers_of_range(each) if flag == "--thresholds" else [each])]
        else:
            ours.append(VALUES.get(flag, {}).get(word, word))
            flag = ""
    _rename(ours, "--upper-dim", "--max-dim", _highest_dim)
    _rename(ours, "--train-batch-size", "--batch-size", str)
    _rename(ours, "--subset", "--data-subset", lambda share: "1" if share.strip("0.") == "" else share)
    _rename(ours, "--dipha", "--engine", lambda path: f"dipha:{path}")
    return ours


def _apart(words: Sequence[str]) -> list[str]:
    """Return words in which --flag=value is two."""
    apart: list[str] = []
    for word in words:
        apart += word.split("=", 1) if word.startswith("--") and "=" in word else [word]
    return apart


def _rename(words: list[str], theirs: str, ours: str, value: object) -> None:
    """Put our flag and value in place of the original's."""
    if theirs not in words[:-1]:
        return
    place = words.index(theirs)
    given = words[place + 1]
    made = value(given) if callable(value) else given
    if ours in words[:-1]:
        other = words[words.index(ours) + 1]
        if other != made and not (ours == "--engine" and other in {"auto", "dipha"}):
            raise DnnTopologyError(f"{theirs} {given} means {ours} {made}, but {ours} is {other}: give one of the two")
        at = words.index(ours)
        del words[at : at + 2]
        place = words.index(theirs)
    words[place : place + 2] = [ours, made]


def _highest_dim(upper_dim: str) -> str:
    """Return the highest Betti number of what the original calls the highest dimension, of cells."""
    return str(int(upper_dim) - 1) if upper_dim.isdecimal() else upper_dim
