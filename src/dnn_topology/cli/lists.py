"""`nets`, `datasets` and `layers`: what there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dnn_topology.cli import options as opt
from dnn_topology.runs import Experiment, Training

Rows = tuple[tuple[str, ...], Sequence[tuple[str, ...]]]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the table of the README.")]


def nets(markdown: Markdown = False) -> None:
    """List the named networks, with the number of nodes that each gives."""
    _print(network_rows(), markdown)


def datasets(markdown: Markdown = False) -> None:
    """List the named data sets."""
    _print(data_set_rows(), markdown)


def layers(
    net: opt.Net = "lenet",
    dataset: opt.Dataset = "mnist-5k",
    layers: opt.Layers = None,
    binarize_labels: opt.BinarizeLabels = -1,
    data_dir: opt.DataDir = None,
) -> None:
    """List what can be recorded in a network, in the order of the forward pass, and how many nodes each layer gives."""
    from dnn_topology.recording.layers import default_layers
    from dnn_topology.recording.listing import EVERYTHING, list_layers

    training = Training(net=net, dataset=dataset, binarize_labels=binarize_labels)
    experiment = Experiment(training, data_dir=data_dir)
    data = experiment.load_data()
    model = experiment.build_net(data)
    wanted = [EVERYTHING] if layers is None else layers.replace(",", " ").split()
    taken = {nodes: set(default_layers(model, nodes)) for nodes in ("unit", "channel")}
    rows = []
    for row in list_layers(model, data.train[[0, 1]][0], layers=wanted).to_dict("records"):
        default = ", ".join(nodes for nodes, names in taken.items() if str(row["layer"]).split("@")[0] in names)
        shape = "×".join(map(str, cast("tuple[int, ...]", row["shape"]))) or "1"
        rows.append((str(row["layer"]), str(row["kind"]), shape, str(row["unit"]), str(row["channel"]), default))
    _print((("layer", "what it is", "output", "units", "channels", "taken by default as"), rows), False)


def network_rows() -> Rows:
    """Return the table of networks, from their registry."""
    from dnn_topology.nets.zoo import NETWORKS

    rows = []
    for network in NETWORKS.values():
        name = " = ".join((network.name, *network.aliases))
        images = ", ".join("×".join(map(str, shape)) for shape in network.shapes)
        units, channels = network.n_nodes or ("", "")
        rows.append((name, network.about, images, str(units), str(channels)))
    rows.append(("torchvision:NAME", "any classifier of torchvision", "3×224×224 or as asked for", "", ""))
    rows.append(("package.module:factory", "a network of your own", "as the data set's", "", ""))
    return ("net", "what it is", "images", "units", "channels"), rows


def data_set_rows() -> Rows:
    """Return the table of data sets, from their registry."""
    from dnn_topology.nets.data import DATA_SETS

    rows = []
    for source in DATA_SETS.values():
        name = " = ".join((source.name, *source.aliases))
        rows.append((f"{name}PATH" if name.endswith(":") else name, source.about, source.origin))
    return ("dataset", "what it is", "where from"), rows


def markdown_table(table: Rows) -> str:
    """Return a table as Markdown, names as code."""
    header, rows = table
    lines = [header, tuple("---" for _ in header)]
    lines += [(" = ".join(f"`{name}`" for name in row[0].split(" = ")), *row[1:]) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _print(table: Rows, markdown: bool) -> None:
    """Print a table on standard output."""
    if markdown:
        typer.echo(markdown_table(table))
    else:
        print_table(*table)


def print_table(header: Sequence[str], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table in columns on standard output."""
    shown = Table(*header, box=None, pad_edge=False)
    for row in rows:
        shown.add_row(*map(escape, row))  # "[fast]" is an extra, no markup
    console = Console()
    if not console.is_terminal:
        console.width = 200  # a file or a pipe has no width, and folded cells are hard to search
    console.print(shown)
