"""Damage files of every format that is read, many thousand times: `make fuzz`, or `python benchmarks/fuzz.py 10000 7`.

Every file must be read as what it promises, or be refused in one line that names it, within 2 s and 1 GiB. The formats
and the damage are those of tests/test_mutated_files.py; what is found here becomes a test.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.test_mutated_files import FORMATS, Format, damaged

SECONDS, GIB = 2.0, 2**30


def main() -> int:
    """Damage every format and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?", default=5000, help="damaged files of each format")
    parser.add_argument("seed", type=int, nargs="?", default=1, help="of the damage")
    parser.add_argument("--only", default="", help="formats whose name contains this")
    asked = parser.parse_args()
    failed = 0
    for name, one in FORMATS.items():
        if asked.only in name:
            failed += not _passes(name, one, asked.count, asked.seed)
    return min(failed, 1)


def _passes(name: str, one: Format, count: int, seed: int) -> bool:
    """Return whether a format passes, and print how."""
    slowest = [0.0]

    def timed(path: Path) -> object:
        started = time.perf_counter()
        try:
            return one.read(path)
        finally:
            slowest[0] = max(slowest[0], time.perf_counter() - started)

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            refused = damaged(
                Format(one.name, one.write, timed, one.mutate, one.check), Path(folder), n=count, seed=seed
            )
        except Exception:  # whatever is found is to be seen, and the other formats are to be tried too
            kept = Path(tempfile.mkdtemp()) / Path(one.name).name
            kept.write_bytes((Path(folder) / one.name).read_bytes())
            print(f"FAILED {name}: {kept}\n{traceback.format_exc(limit=-6)}")
            return False
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        f"{name}: {count} files, {len(refused)} refused, slowest {slowest[0]:.2f} s, peak {peak / GIB:.2f} GiB",
        flush=True,
    )
    return slowest[0] < SECONDS and peak < GIB + GIB


if __name__ == "__main__":
    sys.exit(main())
