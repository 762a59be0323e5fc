"""The pictures that a run leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib import rc_context

from dnn_topology import store
from dnn_topology._checks import check_choice
from dnn_topology.show.history import plot_history
from dnn_topology.show.layers import plot_layers
from dnn_topology.show.plots import Filtration, YScale, plot_barcode, plot_betti_curves, plot_diagram

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from dnn_topology.homology.diagrams import Diagrams

FORMATS = ("png", "svg", "pdf")
UNDATED: Mapping[str, dict[str, None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


def save_run_figures(
    diagrams: Mapping[int, Diagrams],
    topology: pd.DataFrame,
    history: pd.DataFrame | None,
    folder: Path,
    *,
    filtration: Filtration = "nominal",
    smooth: bool = False,
    as_original: bool = False,
    yscale: YScale = "auto",
    formats: Sequence[str] = ("png",),
) -> list[Path]:
    """Draw the Betti curves of every dimension, the history, and the last epoch's diagram and barcode.

    Args:
        diagrams: Epoch → diagrams, filtered or not.
        topology: The table of the same epochs.
        history: The history of the training, or None.
        folder: Where the pictures go.
        filtration: Of the Betti curves: "nominal" is over ε, "density" over the share of joined pairs.
        smooth: Draw moving averages of the Betti curves.
        as_original: Draw the original's curves, which needs unfiltered diagrams; see `plot_betti_curves`.
        yscale: Of the Betti curves: "auto", "linear" or "log".
        formats: File formats.

    Returns:
        The paths of the pictures.
    """
    last, final = max(diagrams.items())
    dim = min(1, final.max_dim)  # loops, unless only components were computed
    curves: dict[str, Any] = {"filtration": filtration, "smooth": smooth, "as_original": as_original, "yscale": yscale}
    pictures = {
        f"betti_curves_H{k}": plot_betti_curves(epoch_labels(diagrams), dim=k, **curves)
        for k in range(final.max_dim + 1)
    }
    pictures[f"diagram_epoch{last}"] = plot_diagram(final)
    pictures[f"barcode_H{dim}_epoch{last}"] = plot_barcode(final, dim=dim)
    pictures["history"] = plot_history(topology, history, dim=dim)
    return [path for name, ax in pictures.items() for path in save_figure(ax, folder / name, formats=formats)]


def save_layer_figures(topology: pd.DataFrame, folder: Path, max_dim: int) -> list[Path]:
    """Draw the largest Betti number of every layer or class at every epoch, and return the paths of the pictures.

    Args:
        topology: The table of all epochs, with a column `layer` or `class`.
        folder: Where the pictures go.
        max_dim: The highest dimension that was measured.
    """
    by = "layer" if "layer" in topology else "class"
    names = ((f"{by}_by_epoch_H{dim}", plot_layers(topology, dim=dim)) for dim in range(max_dim + 1))
    return [path for name, ax in names for path in save_figure(ax, folder / name, formats=["png"])]


def epoch_labels(diagrams: Mapping[int, Diagrams]) -> dict[str, Diagrams]:
    """Return the diagrams with the labels of their curves, in the order of the epochs."""
    return {f"epoch {epoch}": diagrams[epoch] for epoch in sorted(diagrams)}


def save_figure(ax: Axes, stem: Path, *, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write the figure of some axes in several formats, each file in one step; the same figure gives the same bytes.

    Args:
        ax: Axes of the figure.
        stem: Path without ending; the formats' endings are added to it.
        formats: Among png, svg and pdf.

    Returns:
        The paths written.

    Raises:
        DnnTopologyError: A format is unknown or a file cannot be written.
    """
    paths = [stem.with_name(f"{stem.name}.{check_choice('ending', form, FORMATS)}") for form in formats]
    figure = ax.get_figure(root=True)
    assert figure is not None
    for form, path in zip(formats, paths, strict=True):
        # Neither the time nor random ids: the same picture is the same file.
        with store.atomic(path) as temporary, rc_context({"svg.hashsalt": path.stem}):
            figure.savefig(temporary, dpi=200, metadata=UNDATED.get(form))
    return paths
