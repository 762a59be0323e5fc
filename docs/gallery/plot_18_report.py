"""
One page about a run
====================

``dnn-topology run`` leaves a page, report.html, and ``dnn-topology report RUN …`` makes one of a run or of several: a
single file with everything in it, to be opened by a double click, printed or handed on. Here it stands in a frame: move
its slider, and point at the rings of a diagram to see the neurons that a loop runs through.
"""

import base64
import subprocess
import sys
import tempfile
from pathlib import Path

results = Path(tempfile.mkdtemp())
network = "--net lenet_300_100 --dataset digits --lr 0.05"
measured = "--n-epochs-train 10 --n-inputs 200 --max-dim 1 --no-report --save-path"
run = results / "lenet_300_100_digits" / "trial0"
for command in (
    ["run", *network.split(), *measured.split(), str(results)],
    ["report", str(run), "--top", "5", "--out", str(results / "report.html")],
):
    subprocess.run([sys.executable, "-m", "dnn_topology", *command], check=True)

# %%
# The page itself:


class Frame:
    """A page within a page."""

    def __init__(self, path: Path) -> None:
        self.content = base64.b64encode(path.read_bytes()).decode()

    def _repr_html_(self) -> str:
        """Return the frame."""
        return f'<iframe title="report.html" width="100%" height="900" src="data:text/html;base64,{self.content}"></iframe>'


Frame(results / "report.html")
