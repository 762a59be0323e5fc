"""What there is by name: the networks and the data sets, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def list_nets() -> pd.DataFrame:
    """Return the networks that can be named, one row each.

    Returns:
        Columns `net` (its names, joined by " = "), `what it is`, `images` (the forms that it takes, channels × height ×
        width), `units` and `channels`, the number of nodes that it has as either.

    Example:
        >>> table = list_nets().set_index("net")
        >>> table.loc["lenet", ["images", "units", "channels"]].tolist()
        ['1×28×28', '1820', '90']
    """
    import pandas as pd

    from dnn_topology.nets.zoo import NETWORKS

    rows = []
    for network in NETWORKS.values():
        images = ", ".join("×".join(map(str, shape)) for shape in network.shapes)
        units, channels = network.n_nodes or ("", "")
        rows.append((" = ".join((network.name, *network.aliases)), network.about, images, str(units), str(channels)))
    rows.append(("torchvision:NAME", "any classifier of torchvision", "3×224×224 or as asked for", "", ""))
    rows.append(("package.module:factory", "a network of your own", "as the data set's", "", ""))
    return pd.DataFrame(rows, columns=["net", "what it is", "images", "units", "channels"])


def list_data_sets() -> pd.DataFrame:
    """Return the data sets that can be named, one row each.

    Returns:
        Columns `dataset` (its names, joined by " = "), `what it is`, `where from`.

    Example:
        >>> "mnist-5k" in set(list_data_sets()["dataset"])
        True
    """
    import pandas as pd

    from dnn_topology.nets.data import DATA_SETS

    rows = []
    for source in DATA_SETS.values():
        name = " = ".join((source.name, *source.aliases))
        rows.append((f"{name}PATH" if name.endswith(":") else name, source.about, source.origin))
    return pd.DataFrame(rows, columns=["dataset", "what it is", "where from"])
