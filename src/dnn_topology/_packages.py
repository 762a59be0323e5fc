"""How a package is had that is not installed."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires

REQUIREMENT = re.compile(r"([\w.-]+)(\[[^]]*\])?([^;]*)")


def pip_install(*packages: str) -> str:
    """Return the command that installs packages, in versions that this one works with.

    It names them and not the extra that they are in: `pip install 'dnn-topology[…]'` would ask the package index for
    this package, which came from elsewhere where that was a clone, a wheel or a git address.

    Args:
        packages: Names of distributions, as `pyproject.toml` has them.

    Example:
        >>> pip_install("numpy").startswith("pip install 'numpy>=")
        True
    """
    try:
        declared = [REQUIREMENT.match(line) for line in requires("dnn-topology") or []]
    except PackageNotFoundError:  # run from its sources, not installed
        declared = []
    versions = {match[1].lower(): match[3].strip() for match in declared if match}
    known = [f"{name}{versions.get(name.lower(), '')}" for name in packages]
    return " ".join(["pip install", *(name if name.isidentifier() else f"'{name}'" for name in known)])
