"""One page about one run or several: a single HTML file that anyone can open, with nothing outside it."""

from __future__ import annotations

from dnn_topology.report.writing import REPORT, open_measurements, write_report

__all__ = ["REPORT", "open_measurements", "write_report"]
