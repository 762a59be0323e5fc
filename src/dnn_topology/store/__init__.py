"""Files that are either whole or absent: atomic writes, and readers that believe no damaged file.

NumPy and pandas are imported where they are needed: commands that only explain themselves import this room too.
"""

from dnn_topology.store.arrays import believed, read_arrays, write_arrays
from dnn_topology.store.digests import digest_of
from dnn_topology.store.growing import GrowingArray
from dnn_topology.store.leftovers import PARTIAL, sweep
from dnn_topology.store.problems import AGAIN, readable_errors
from dnn_topology.store.records import FORMAT, read_json, read_record, read_toml, write_json
from dnn_topology.store.tables import read_table, write_parquet, write_table
from dnn_topology.store.writing import atomic, check_writable, is_writable, uninterrupted, write_bytes

__all__ = [
    "AGAIN",
    "FORMAT",
    "PARTIAL",
    "GrowingArray",
    "atomic",
    "believed",
    "check_writable",
    "digest_of",
    "is_writable",
    "read_arrays",
    "read_json",
    "read_record",
    "read_table",
    "read_toml",
    "readable_errors",
    "sweep",
    "uninterrupted",
    "write_arrays",
    "write_bytes",
    "write_json",
    "write_parquet",
    "write_table",
]
