"""What tells the content of a file from others."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dnn_topology.store.problems import readable_errors


def digest_of(path: Path) -> str:
    """Return what tells the content of a file from others.

    Raises:
        DnnTopologyError: It cannot be read.
    """
    with readable_errors("read", path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
