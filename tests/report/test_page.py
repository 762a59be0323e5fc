"""The page as a file: what it says, that it is the same every time, and what it refuses."""

from __future__ import annotations

import base64
import io
import json
import re
import shlex
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dnn_topology.cli import main
from dnn_topology.homology.diagrams import Diagrams
from dnn_topology.report import open_measurements, write_report
from dnn_topology.report.contents import spread
from dnn_topology.runs.run import Run
from dnn_topology.settings import TraceSettings


class Elements(HTMLParser):
    """Every tag of a page with its attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def table(self, ending: str) -> pd.DataFrame:
        """A table that the page lets one download."""
        (uri,) = [attrs["href"] or "" for _, attrs in self.tags if (attrs.get("download") or "").endswith(ending)]
        return pd.read_csv(io.BytesIO(base64.b64decode(uri.split(",")[1])))


@pytest.fixture(scope="session")
def elements(page: Path) -> Elements:
    return Elements(page.read_text("utf-8"))


def copied(run_folder: Path, where: Path) -> Path:
    return shutil.copytree(run_folder, where / run_folder.parent.name / run_folder.name)


def test_the_same_run_gives_the_same_bytes_wherever_it_lies(run_folder: Path, page: Path, tmp_path: Path) -> None:
    copy = copied(run_folder, tmp_path)
    (copy / "eps0.3" / "report.html").unlink()
    assert main(["report", str(copy), "--nproc", "1"]) == 0
    assert (copy / "eps0.3" / "report.html").read_bytes() == page.read_bytes()


def test_run_names_the_page_in_its_last_line(run_folder: Path, page: Path) -> None:
    assert (run_folder.parents[1] / "printed.txt").read_text().splitlines()[-1] == str(page)


def test_no_two_elements_of_a_page_have_one_id_and_every_link_leads_to_one(run_folder: Path, tmp_path: Path) -> None:
    there = open_measurements([run_folder, run_folder])
    tags = Elements(write_report(there, tmp_path / "two.html").read_text("utf-8")).tags
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = {attrs.get("href") or attrs.get("xlink:href") or "" for _, attrs in tags}
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)


def test_the_page_names_nothing_outside_it(page: Path, elements: Elements) -> None:
    outward = [
        value for _, attrs in elements.tags for name, value in attrs.items() if name in {"src", "href"} and value
    ]
    assert all(value.startswith(("#", "data:")) for value in outward)
    assert "url(http" not in page.read_text("utf-8")


def test_ten_epochs_of_lenet_stay_below_three_megabytes(page: Path) -> None:
    # Per epoch, and in a run of three epochs what there is but once counts three times too much.
    assert page.stat().st_size / 3 * 11 < 3 * 2**20


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}"])
def test_names_and_paths_are_escaped(name: str, run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / name.replace("/", "∕")
    folder.mkdir()
    copy = copied(run_folder, folder).rename(folder / "trial0")
    settings = json.loads((copy / "settings.json").read_text())
    (copy / "settings.json").write_text(json.dumps({**settings, "net": name, "dataset": f"folder:{name}"}))
    written = Elements(write_report(open_measurements([copy]), tmp_path / "page.html").read_text("utf-8"))
    assert [tag for tag, _ in written.tags].count("script") == 1
    assert not [attrs for _, attrs in written.tags if "onerror" in attrs]
    assert f"{name} on folder:{name}" in written.text


def test_the_sentences_say_the_numbers_of_the_tables(run_folder: Path, elements: Elements) -> None:
    history = pd.read_csv(run_folder / "history.csv")
    loops = pd.read_csv(run_folder / "eps0.3" / "topology.csv").query("dim == 1").set_index("epoch")
    assert f"classifies {100 * history['test_accuracy'].iloc[-1]:.1f} % of the test images" in elements.text
    assert f"at most {loops['betti_max'][2]} loops alive at once, at ε {loops['peak_epsilon'][2]:.3f}" in elements.text


def test_the_tables_of_the_page_are_those_of_the_run(run_folder: Path, elements: Elements) -> None:
    for ending, path in (("_topology.csv", "eps0.3/topology.csv"), ("_history.csv", "history.csv")):
        pd.testing.assert_frame_equal(elements.table(ending), pd.read_csv(run_folder / path))


def test_every_cavity_of_the_page_is_a_point_of_the_diagrams(run_folder: Path, elements: Elements) -> None:
    cavities = elements.table("_cavities.csv")
    assert set(cavities["epoch"]) == {0, 1, 2}
    for epoch, rows in cavities.groupby("epoch"):
        points = Diagrams.load(run_folder / "eps0.3" / f"epoch{epoch}.npz")[1]
        lives = np.minimum(points[:, 1], 0.3) - points[:, 0]
        assert rows["life"].to_numpy() == pytest.approx(np.sort(lives)[::-1][: len(rows)], abs=1e-6)


def test_the_layers_of_the_page_hold_all_neurons_of_the_graph(run_folder: Path, elements: Elements) -> None:
    layers = elements.table("_layers.csv")
    last = Diagrams.load(run_folder / "eps0.3" / "epoch2.npz")
    assert layers["in_graph"].sum() == last.n_nodes
    assert layers["joined_within"].sum() + layers["joined_across"].sum() / 2 == last.provenance["n_edges"]


def test_the_command_of_the_page_makes_the_same_run_without_a_page_where_none_is_wanted(
    run_folder: Path, page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = copied(run_folder, tmp_path)
    (copy / "eps0.3" / "report.html").unlink()
    (command,) = re.findall(r"<code>(dnn-topology run [^<]*)</code>", page.read_text("utf-8"))
    words = [*shlex.split(command)[1:], "--save-path", str(tmp_path), "--nproc", "1", "--no-report"]
    capsys.readouterr()
    assert main(words) == 0
    captured = capsys.readouterr()
    assert "training: epoch" not in captured.err
    assert str(copy / "eps0.3") in captured.out
    assert not (copy / "eps0.3" / "report.html").exists()


def test_a_run_whose_weights_are_gone_still_has_a_page_that_says_so(run_folder: Path, tmp_path: Path) -> None:
    copy = copied(run_folder, tmp_path)
    shutil.rmtree(copy / "checkpoints")
    written = Elements(write_report(open_measurements([copy]), tmp_path / "page.html").read_text("utf-8"))
    assert "Cavities are not traced to neurons: there is no checkpoint of epoch 0 of lenet on digits" in written.text
    assert "rank correlation" in written.text


def test_voids_are_not_traced_where_only_loops_were_measured(run_folder: Path, tmp_path: Path) -> None:
    there = open_measurements([run_folder])
    written = Elements(
        write_report(there, tmp_path / "page.html", trace=TraceSettings(dim=2, top=3)).read_text("utf-8")
    )
    assert "3 longest-lived loops" in written.text


def test_several_runs_have_a_table_above_them(run_folder: Path, tmp_path: Path) -> None:
    copy, out = copied(run_folder, tmp_path), tmp_path / "both.html"
    assert main(["report", str(run_folder), str(copy), "--out", str(out), "--top", "2", "--nproc", "1"]) == 0
    written = Elements(out.read_text("utf-8"))
    assert "2 runs" in written.text
    assert [attrs["id"] for tag, attrs in written.tags if tag == "article"] == ["r0", "r1"]
    assert "run 2: lenet on digits" in written.text
    together = [attrs["aria-label"] for tag, attrs in written.tags if "run 1, run 2" in (attrs.get("aria-label") or "")]
    assert [label.split(" of ")[0] for label in together if label] == [
        "Test accuracy",
        "Midlife",
        "Betti curves",
    ]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("missing", "is no folder of a run"),
        ("unmeasured", "there are no diagrams of lenet on digits"),
        ("newer", "has format 99, and this version reads up to"),
        ("inside", "is what was measured of a run, not its folder: name"),
        ("none", "a page needs a run, found none"),
    ],
)
def test_what_is_no_run_is_refused_in_one_line_with_a_remedy(
    damage: str, said: str, run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = copied(run_folder, tmp_path)
    words = ["report", str(copy / "eps0.3" if damage == "inside" else copy)][: 1 if damage == "none" else 2]
    if damage == "missing":
        (copy / "settings.json").unlink()
    elif damage == "unmeasured":
        shutil.rmtree(copy / "eps0.3")
    elif damage == "newer":
        settings = json.loads((copy / "settings.json").read_text())
        (copy / "settings.json").write_text(json.dumps({**settings, "format": 99}))
    capsys.readouterr()
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_the_page_of_a_run_in_progress_names_the_epochs_that_failed(run_folder: Path, tmp_path: Path) -> None:
    copy = copied(run_folder, tmp_path)
    (copy / "eps0.3" / "epoch1.npz").rename(copy / "eps0.3" / "epoch1.failed.json")
    written = Elements(write_report(open_measurements([copy]), tmp_path / "page.html").read_text("utf-8"))
    assert "Epochs that could not be measured: 1." in written.text


def test_many_epochs_are_thinned_out_with_the_first_and_the_last_kept() -> None:
    assert spread(range(100), 24)[::23] == [0, 99]
    assert len(spread(range(100), 24)) == 24


def test_the_template_is_in_the_package() -> None:
    import dnn_topology.report

    folder = Path(dnn_topology.report.__file__).parent / "page"
    assert {path.name for path in folder.iterdir()} == {"page.html.j2", "page.css", "page.js"}


def test_a_measurement_opens_from_the_folder_of_its_run(run_folder: Path) -> None:
    (there,) = open_measurements([run_folder])
    assert there.run == Run.open(run_folder)
