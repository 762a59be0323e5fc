from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError
from dnn_topology.settings import RunMeasureSettings, TrainSettings
from dnn_topology.work.holding import MOST, _held
from dnn_topology.work.stamps import Stamp, read_settings, read_stamp


def claim(folder: Path, settings: Mapping[str, Any], *, defaults: Mapping[str, Any] | None = None) -> None:
    Stamp(settings, "*.npz", defaults or {}).claim(folder)


def test_settings_may_change_until_they_led_to_results(tmp_path: Path) -> None:
    claim(tmp_path, {"lr": 0.1})
    claim(tmp_path, {"lr": 0.2})
    store.write_arrays(tmp_path / "a.npz", {})
    claim(tmp_path, {"lr": 0.2})
    with pytest.raises(DnnTopologyError, match=r"made with other settings \(lr was 0.2 and is now 0.3\)"):
        claim(tmp_path, {"lr": 0.3})
    assert store.read_json(tmp_path / "settings.json") == {"format": store.FORMAT, "lr": 0.2}


def test_a_setting_that_was_added_or_left_out_is_named(tmp_path: Path) -> None:
    claim(tmp_path, {"lr": 0.1})
    store.write_arrays(tmp_path / "a.npz", {})
    with pytest.raises(DnnTopologyError, match="seed was None and is now 3"):
        claim(tmp_path, {"lr": 0.1, "seed": 3})


def test_a_setting_that_an_older_folder_does_not_name_has_its_default_there(tmp_path: Path) -> None:
    claim(tmp_path, {"lr": 0.1})
    store.write_arrays(tmp_path / "a.npz", {})
    claim(tmp_path, {"lr": 0.1, "decay": 0.5}, defaults={"lr": 9, "decay": 0.5})
    with pytest.raises(DnnTopologyError, match=r"\(decay was 0.5 and is now 0.6\)"):
        claim(tmp_path, {"lr": 0.1, "decay": 0.6}, defaults={"lr": 9, "decay": 0.5})


def test_other_settings_have_a_home_of_their_own_named_by_what_differs_and_find_it_again(tmp_path: Path) -> None:
    homes = []
    for settings in ({"n": 1, "m": "a"}, {"n": 2, "m": "a"}, {"n": 2, "m": "b/c"}, {"n": 1, "m": ["x", "y"]}):
        stamp = Stamp(settings, "*.npz")
        folder = stamp.home(tmp_path, "eps0.3")
        stamp.claim(folder)
        store.write_arrays(folder / "epoch0.npz", {})
        homes.append(folder)
        assert stamp.home(tmp_path, "eps0.3") == folder
    assert [folder.name for folder in homes] == ["eps0.3", "eps0.3_n-2", "eps0.3_n-2_m-b-c", "eps0.3_m-x+y"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"format": 99, "net": "mlp"}, "format 99, and this version reads up to"),
        ({"net": "mlp", "hidden": 3}, "does not describe a training: it has 'hidden'"),
        ({"net": 3}, "does not describe a training: net must be a text, found 3"),
        ({"lr": "much"}, "lr must be a finite number, found 'much'"),
        ({"format": []}, r"format \[\]"),
    ],
)
def test_settings_that_describe_no_training_are_one_line(
    content: dict[str, object], message: str, tmp_path: Path
) -> None:
    store.write_json(tmp_path / "settings.json", content)
    with pytest.raises(DnnTopologyError, match=message) as caught:
        read_settings(tmp_path, TrainSettings)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_was_measured_is_read_back_as_it_was(tmp_path: Path) -> None:
    settings = RunMeasureSettings(layers=("a", "b*"), graph_type="partitioned", split=3, max_epsilon=0.2)
    Stamp(settings.results, "*.npz").claim(tmp_path)
    assert read_settings(tmp_path, RunMeasureSettings).results == settings.results


CLAIMING = """
import sys
from pathlib import Path
from dnn_topology.work.stamps import Stamp
Stamp({"lr": 0.1}, "*.pt").claim(Path(sys.argv[1]))
print("claimed", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="folders are not locked there")
def test_a_folder_that_a_living_process_has_claimed_takes_no_other_settings(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CLAIMING, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "claimed\n"
        Stamp({"lr": 0.1}, "*.pt").claim(tmp_path / "run")
        with pytest.raises(DnnTopologyError, match=r"lr was 0\.1 and is now 0\.2\), and another process is at work"):
            Stamp({"lr": 0.2}, "*.pt").claim(tmp_path / "run")
        other.communicate("")
    Stamp({"lr": 0.2}, "*.pt").claim(tmp_path / "run")
    assert read_stamp(tmp_path / "run") == {"lr": 0.2}


def test_a_process_that_claims_many_folders_keeps_few_of_them_open(tmp_path: Path) -> None:
    for number in range(2 * MOST):
        Stamp({"lr": 0.1}, "*.pt").claim(tmp_path / str(number))
    assert sum(str(tmp_path) in one for one in _held) <= MOST
