"""What an installation takes on disk: the base, and what each extra adds, PyTorch beside the rest.

Run: python benchmarks/install_size.py          (of the packages in this environment; nothing is installed)
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

EXTRAS = ("fast", "engines", "attacks", "metis", "lightning", "transformers", "tensorboard", "dask", "parquet")
TORCH = {"torch", "torchvision"}


def closure(name: str, extra: str = "", seen: set[str] | None = None) -> set[str]:
    """Return a distribution and everything that it requires, as far as it is installed."""
    seen = set() if seen is None else seen
    try:
        required = [Requirement(text) for text in distribution(name).requires or []]
    except PackageNotFoundError:
        return seen
    key = distribution(name).name.lower()
    if key in seen and not extra:
        return seen
    seen.add(key)
    for one in required:
        if one.marker is None or one.marker.evaluate({"extra": extra}):
            for inner in sorted(one.extras) or [""]:
                closure(one.name, inner, seen)
    return seen


def size(name: str) -> int:
    """Return the bytes of a distribution's files."""
    files = distribution(name).files or []
    return sum(
        Path(path).stat().st_size for path in map(str, (file.locate() for file in files)) if Path(path).is_file()
    )


def mib(names: set[str]) -> str:
    """Return the size of some distributions as text."""
    return f"{sum(map(size, names)) / 2**20:,.0f} MiB"


def main() -> None:
    """Print the table."""
    base = closure("dnn-topology")
    with_torch = closure("torch") | closure("torchvision")
    print("| what | packages | size |\n|---|---|---|")
    print(f"| dnn-topology and what it requires, PyTorch aside | {len(base - with_torch)} | {mib(base - with_torch)} |")
    print(f"| PyTorch and torchvision as installed here | {len(with_torch)} | {mib(with_torch)} |")
    for extra in EXTRAS:
        more = closure("dnn-topology", extra) - base
        if more:
            print(f"| extra `{extra}` adds | {len(more)} | {mib(more)} |")


if __name__ == "__main__":
    main()
