from __future__ import annotations

import subprocess
import sys

import pytest

import dnn_topology as dt


def test_everything_in_all_exists() -> None:
    assert dt.__all__ == sorted(dt.__all__)
    for name in dt.__all__:
        assert getattr(dt, name) is not None


def test_dir_lists_the_public_names_before_any_was_used() -> None:
    assert dir(dt) == sorted(dt.__all__)


def test_completion_offers_the_monitors_and_no_old_name() -> None:
    assert {"monitors", "measure", "Measurement", "plot_layers"} <= set(dir(dt))
    assert not {"watch", "separation", "separations", "annotations", "lazy_loader", "pipeline"} & set(dir(dt))
    assert callable(dt.watch)  # which works for one version more


def test_dir_is_the_same_after_everything_was_used() -> None:
    for name in dt.__all__:
        getattr(dt, name)
    assert dir(dt) == sorted(dt.__all__)
    assert dt.monitors.__name__ == "dnn_topology.monitors"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="attribute nothing"):
        _ = getattr(dt, "nothing")  # noqa: B009  # a type checker knows


@pytest.mark.parametrize("name", [name for name in dt.__all__ if name != "__version__"])
def test_every_public_name_is_documented(name: str) -> None:
    assert getattr(dt, name).__doc__


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, dnn_topology;"
        "print([name for name in ('torch', 'torchvision', 'matplotlib', 'gudhi', 'pandas', 'sklearn', 'cyclopts')"
        " if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_recording_and_measuring_import_neither_matplotlib_nor_torchvision() -> None:
    code = (
        "import sys, dnn_topology as dt; dt.measure; dt.record; dt.persistence; dt.load_data;"
        "print([name for name in ('torchvision', 'matplotlib', 'cyclopts') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
