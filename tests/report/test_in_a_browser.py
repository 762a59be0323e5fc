"""The page in a real Chromium, driven by selenium: Debian keeps browser and driver of one version, and nothing is
downloaded, as playwright would with a browser of its own.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dnn_topology.report import write_report
from dnn_topology.runs.measuring import measure_epochs
from dnn_topology.runs.run import Run
from dnn_topology.settings import RunMeasureSettings, TraceSettings

PHONE = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
# Of every text that is shown: the contrast of WCAG 2.2 with the nearest background that is painted.
CONTRAST = """
const rgb = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return {c: n.slice(0, 3), a: n[3] ?? 1}; };
const lum = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const ground = (e) => { for (; e; e = e.parentElement) { const b = rgb(getComputedStyle(e).backgroundColor);
  if (b.a > 0) return b.c; } return [255, 255, 255]; };
document.querySelectorAll("details").forEach((d) => { d.open = true; });
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), weak = [];
let seen = 0;
while (walk.nextNode()) {
  const e = walk.currentNode.parentElement, style = getComputedStyle(e);
  if (!walk.currentNode.data.trim() || !e.checkVisibility() || e.closest("script, style")) continue;
  seen += 1;
  const inside = e.closest("svg"), colour = rgb(inside ? style.fill : style.color).c;
  const [high, low] = [lum(colour), lum(ground(inside ? inside.parentElement : e))].sort((a, b) => b - a);
  if ((high + 0.05) / (low + 0.05) < 4.5) weak.push(walk.currentNode.data.trim());
}
return [seen, weak];
"""


@pytest.fixture(scope="module")
def of_graphs(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page that shows two of the three graphs of every epoch in full."""
    where = tmp_path_factory.mktemp("graphs") / run_folder.parent.name / run_folder.name
    run = Run.open(shutil.copytree(run_folder, where, ignore=shutil.ignore_patterns("eps*")))
    settings = RunMeasureSettings(n_inputs=100, max_dim=1, layers=("fc1", "fc2"), by="layer")
    there = measure_epochs(run, settings, [1, 2])
    return write_report([there], trace=TraceSettings(top=4), graphs=["", "layer0"])


def opened(tab: Any, page: Path) -> Any:
    tab.get(page.as_uri())
    return tab


def scheme(tab: Any, colours: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": colours}]
    tab.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def lit(tab: Any, selector: str) -> list[str]:
    """What is lit among the elements of a selector: their epoch or cavity."""
    script = (
        "return [...document.querySelectorAll(arguments[0] + '.on')].map((e) => e.dataset.epoch ?? e.dataset.cavity)"
    )
    return list(tab.execute_script(script, selector))


def move_slider(tab: Any, key: str) -> None:
    tab.find_element("css selector", "input[type=range]").send_keys(key)


def test_the_last_epoch_and_its_longest_lived_loop_are_shown_first(tab: Any, page: Path) -> None:
    opened(tab, page)
    assert set(lit(tab, ".curve")) == {"2"}
    assert (lit(tab, ".epoch"), lit(tab, ".loop"), lit(tab, ".card")) == (["2"], ["r0-e2-c1"], ["r0-e2-c1"])


def test_the_slider_lights_the_curves_the_diagram_and_the_loops_of_its_epoch(tab: Any, page: Path) -> None:
    opened(tab, page)
    move_slider(tab, "\ue012")  # the left arrow
    assert tab.find_element("css selector", "output").text == "1"
    assert set(lit(tab, ".curve")) == {"1"}
    assert (lit(tab, ".epoch"), lit(tab, ".list"), lit(tab, ".loop")) == (["1"], ["1"], ["r0-e1-c1"])
    (diagram,) = [each for each in tab.find_elements("css selector", ".epoch") if each.is_displayed()]
    assert diagram.get_attribute("data-epoch") == "1"


def test_pointing_at_a_cavity_lights_its_loop_and_shows_its_neurons_and_their_inputs(tab: Any, page: Path) -> None:
    from selenium.webdriver import ActionChains

    opened(tab, page)
    ring = tab.find_element("css selector", '.point[data-cavity="r0-e2-c4"] use')
    ActionChains(tab).move_to_element(ring).perform()
    pointed = lit(tab, ".point")[0]  # another ring may lie above it
    assert pointed != "r0-e2-c1"
    assert lit(tab, ".loop") == [pointed]
    style = "const s = getComputedStyle(document.querySelector('.point.on use')); return [s.fill, s.fillOpacity]"
    assert tab.execute_script(style) == ["rgb(194, 24, 91)", "1"]
    (card,) = [each for each in tab.find_elements("css selector", ".card") if each.is_displayed()]
    assert card.get_attribute("id") == pointed
    assert "conv" in card.find_element("css selector", "code").text
    assert card.find_element("css selector", ".thumb").size["width"] == 28


def test_the_focus_of_the_keyboard_lights_a_cavity_too(tab: Any, page: Path) -> None:
    from selenium.webdriver import ActionChains

    opened(tab, page)
    tab.execute_script("document.querySelector('.point[data-cavity=\"r0-e2-c3\"] a').focus()")
    assert lit(tab, ".loop") == ["r0-e2-c3"]
    ActionChains(tab).send_keys("\ue004").perform()  # the tab key
    assert lit(tab, ".loop") == ["r0-e2-c4"]


def test_the_page_asks_for_no_address_and_complains_of_nothing(tab: Any, page: Path) -> None:
    tab.get_log("performance"), tab.get_log("browser")
    opened(tab, page)
    move_slider(tab, "\ue012")
    events = [json.loads(entry["message"])["message"] for entry in tab.get_log("performance")]
    asked = [each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith("data:")] == [page.as_uri()]
    assert tab.get_log("browser") == []


@pytest.mark.parametrize("details", ["closed", "open"])
def test_nothing_is_wider_than_a_telephone(details: str, tab: Any, page: Path) -> None:
    tab.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    opened(tab, page)
    if details == "open":
        tab.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert tab.execute_script("return document.documentElement.scrollWidth") == 400
    # The smallest letters of a picture as they are shown, in pixels.
    sizes = """return [...document.querySelectorAll('svg.chart text, svg.map text')].filter((e) => e.checkVisibility())
        .map((e) => { const m = e.getScreenCTM();
                      return parseFloat(getComputedStyle(e).fontSize) * Math.hypot(m.a, m.b); })"""
    assert min(tab.execute_script(sizes)) >= 7


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(colours: str, tab: Any, page: Path) -> None:
    scheme(tab, colours)
    opened(tab, page)
    seen, weak = tab.execute_script(CONTRAST)
    assert seen > 200
    assert weak == []


def test_of_several_graphs_each_is_explored_by_itself(tab: Any, of_graphs: Path) -> None:
    from selenium.webdriver import ActionChains

    tab.get_log("browser")
    opened(tab, of_graphs)
    tab.find_element("css selector", "#r1-slider").send_keys("\ue012")
    assert (lit(tab, "#r0 .epoch"), lit(tab, "#r1 .epoch")) == (["2"], ["1"])
    ring = tab.find_element("css selector", '#r1 .point[data-cavity="r1-e1-c2"] use')
    ActionChains(tab).move_to_element(ring).perform()
    assert lit(tab, "#r0 .loop") == ["r0-e2-c1"]
    (pointed,) = lit(tab, "#r1 .loop")
    assert pointed.startswith("r1-e1-c")
    assert tab.get_log("browser") == []


def test_the_numbers_of_all_graphs_are_there_without_scripts_on_a_telephone(tab: Any, of_graphs: Path) -> None:
    tab.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    tab.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    opened(tab, of_graphs)
    table = tab.find_element("css selector", "#r1 table.graphs")
    assert table.is_displayed()
    rows = [each.text for each in table.find_elements("css selector", "tbody th")]
    assert rows == ["all layers", "layer fc1 (shown)", "layer fc2"]
    tab.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert tab.execute_script("return document.documentElement.scrollWidth") == 400


def test_a_dark_page_has_other_colours_than_a_light_one(tab: Any, page: Path) -> None:
    paper = {}
    for colours in ("light", "dark"):
        scheme(tab, colours)
        opened(tab, page)
        paper[colours] = tab.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 28)"}


def test_without_scripts_every_picture_is_there(tab: Any, page: Path) -> None:
    tab.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    opened(tab, page)
    shown = [each for each in tab.find_elements("css selector", "svg.chart, svg.map") if each.is_displayed()]
    assert len(shown) == 4 + 2 + 3 + 1  # over the epochs, Betti curves, a diagram of every epoch, the map
    assert all(each.size["width"] > 100 for each in shown)
    assert not tab.find_element("css selector", ".slider").is_displayed()
    assert [each.get_attribute("id") for each in tab.find_elements("css selector", ".card") if each.is_displayed()] == [
        "r0-e2-c1"
    ]


def test_on_paper_the_settings_are_open_and_the_slider_is_gone(tab: Any, page: Path) -> None:
    tab.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    opened(tab, page)
    assert tab.find_element("css selector", ".settings td").rect["height"] > 10
    assert not tab.find_element("css selector", ".slider").is_displayed()
