"""A tiny real run, its page, and a real browser to open it in."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dnn_topology.cli import main

NAMED = ["--net", "lenet", "--dataset", "digits"]
RUN = [*NAMED, "--lr", "0.1", "--data-subset", "0.5", "--n-epochs-train", "2", "--n-inputs", "150", "--nproc", "1"]
RUN += ["--max-dim", "1", "--epochs-test", "0", "1", "2", "--layers", "conv2", "fc1", "fc2"]


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with three epochs and its page, as `run` leaves it."""
    results = tmp_path_factory.mktemp("results")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main(["run", *RUN, "--save-path", str(results)]) == 0
    (results / "printed.txt").write_text(printed.getvalue())
    return results / "lenet_digits" / "trial0"


@pytest.fixture(scope="session")
def page(run_folder: Path) -> Path:
    """The page that `run` left."""
    return run_folder / "eps0.3" / "report.html"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a window, driven by Debian's own driver; required where CI says so."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        if os.environ.get("CI"):
            pytest.fail("CI needs chromium and chromium-driver: .ci/run installs them")
        pytest.skip("there is no chromium with its chromedriver: apt-get install chromium chromium-driver")
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = Chrome(options=options, service=ChromeService(executable_path=driver))
    yield opened
    opened.quit()


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """The browser, wide and light, with scripts; it is put back afterwards."""
    yield browser
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.get("about:blank")
