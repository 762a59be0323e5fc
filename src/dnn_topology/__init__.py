"""What a deep network has learned, read off the shape of its neurons' correlations.

The flow, one public name per step:

    record            model, batches          → Activations      (n_samples, n_neurons) signals
    functional_graph  activations             → FunctionalGraph  d = 1 - |correlation|
    persistence       graph                   → Diagrams         birth and death of every cavity, in ε = d / 2
    summarize         diagrams                → a table          life, midlife, peak, … per dimension
    plot_…            diagrams                → matplotlib axes

`measure` does the first four at once, `track` does them for several epochs, `TopologyMonitor` in a training loop of
one's own, `read_dipha` and `write_dipha` exchange diagrams with the original pipeline. Names are imported when they
are first used, so that importing this costs nothing; `__init__.pyi` lists them by stage.
"""

import lazy_loader

__getattr__, _, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = [name for name in _names if name not in {"separation", "separations", "watch"}]  # old names


def __dir__() -> list[str]:  # what completes is what is public
    return __all__.copy()
