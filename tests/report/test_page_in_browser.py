"""The page in a headless Chromium: no error, everything drawn, nothing wider than the window, light, dark and print."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

CHROMIUM, CHROMEDRIVER = shutil.which("chromium"), shutil.which("chromedriver")
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars"),
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage"),
)
EXCITATORY = {"light": (213, 94, 0), "dark": (240, 138, 60)}
PAPER = {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 27)"}
DRAWN = "return document.querySelectorAll('#scene canvas').length"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM or not CHROMEDRIVER:
        pytest.skip("no chromium with chromedriver on this machine, so nothing can look at the page")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
    driver.set_script_timeout(60)
    yield driver
    driver.quit()


def show(browser: Any, page: Path, *, width: int, scheme: str = "light", media: str = "") -> None:
    """Load the page in a window of a width, and wait until the scene is drawn."""
    from selenium.webdriver.support.ui import WebDriverWait

    size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    browser.get(page.as_uri())
    WebDriverWait(browser, 60).until(lambda driver: driver.execute_script(DRAWN) > 0)


def picture(browser: Any, selector: str) -> np.ndarray:
    """The pixels (rows, columns, RGB) of an element."""
    script = "const r = document.querySelector(arguments[0]).getBoundingClientRect();"
    script += "return {x: r.x + scrollX, y: r.y + scrollY, width: r.width, height: r.height, scale: 1}"
    clip = browser.execute_script(script, selector)
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    return np.asarray(Image.open(BytesIO(base64.b64decode(shot["data"]))).convert("RGB")).astype(int)


def near(pixels: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((np.abs(pixels - colour).max(axis=2) < 25).sum())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
def test_everything_is_drawn_and_nothing_is_wider_than_the_window(
    browser: Any, page: Path, width: int, scheme: str
) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    show(browser, page, width=width, scheme=scheme)
    errors = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not errors
    assert browser.execute_script("return document.documentElement.scrollWidth") == width
    assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == PAPER[scheme]
    boxes = browser.execute_script(
        "return [...document.querySelectorAll('figure svg.chart, #scene, .rung svg, .faces img')]"
        ".filter(e => !e.closest('.side')).map(e => e.getBoundingClientRect()).map(r => [r.width, r.height, r.right])"
    )
    assert len(boxes) >= 16
    assert all(wide > 30 and high > 15 and right <= width for wide, high, right in boxes)
    wait = WebDriverWait(browser, 30)
    assert wait.until(lambda _: near(picture(browser, "#scene"), EXCITATORY[scheme]) > 40)
    sizes = browser.execute_script(
        "return [...document.querySelectorAll('svg.chart text')].filter(t => !t.closest('.side')).map(t => "
        "parseFloat(getComputedStyle(t).fontSize) * Math.hypot(t.getScreenCTM().a, t.getScreenCTM().b))"
    )
    assert min(sizes) > 7, "a text that nobody can read"
    assert np.median(sizes) > 9


def test_edges_and_colours_can_be_chosen_and_the_scene_turned(browser: Any, page: Path) -> None:
    show(browser, page, width=1600)

    def lines() -> int:
        script = "return document.getElementById('scene').data.filter(t => t.name === 'edges')"
        return int(browser.execute_script(f"{script}.reduce((n, t) => n + t.x.length / 3, 0)"))

    def choose(name: str, value: str) -> None:
        script = "const e = document.getElementById(arguments[0]); e.value = arguments[1];"
        browser.execute_script(script + "e.dispatchEvent(new Event('change'))", name, value)

    assert lines() == 0
    choose("scene-edges", "0")
    assert lines() == 200
    legend = browser.find_element("id", "scene-legend")
    assert legend.text.startswith("excitatory: 175")
    choose("scene-colour", "lamina")
    assert legend.text.startswith("L1: ")
    before = picture(browser, "#scene")
    browser.find_element("css selector", "[data-view=top]").click()
    browser.find_element("css selector", "[data-turn='30']").click()
    assert (picture(browser, "#scene") != before).any()
    choose("theme", "dark")
    assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == PAPER["dark"]
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    choose("theme", "")


def test_tables_scroll_by_themselves_and_take_the_keyboard(browser: Any, page: Path) -> None:
    show(browser, page, width=400)
    script = "return [...document.querySelectorAll('.scroll')].map(e => [e.scrollWidth, e.clientWidth, e.tabIndex])"
    sizes = browser.execute_script(script)
    assert any(content > window for content, window, _ in sizes)
    assert all(window <= 400 and index == 0 for _, window, index in sizes)


@pytest.mark.parametrize(("width", "media"), [(1600, ""), (720, "print")])
def test_no_table_is_wider_than_a_wide_window_or_a_sheet_gives(
    browser: Any, page: Path, width: int, media: str
) -> None:
    show(browser, page, width=width, media=media)
    script = "return [...document.querySelectorAll('.table .scroll')].map(e => [e.scrollWidth, e.clientWidth])"
    sizes = browser.execute_script(script)
    assert len(sizes) >= 4
    assert all(content <= window for content, window in sizes), sizes
    lines = browser.execute_script(
        "return [...document.querySelectorAll('th[scope=row]')].filter(e => e.textContent === 'no augmentation')"
        ".map(e => { const r = document.createRange(); r.selectNodeContents(e); return r.getClientRects().length })"
    )
    assert len(lines) >= 2
    assert max(lines) <= 2, "a word is broken"


@pytest.mark.parametrize("width", [400, 1600])
def test_nothing_of_the_scene_is_cut(browser: Any, page: Path, width: int) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    show(browser, page, width=width)
    WebDriverWait(browser, 30).until(lambda _: near(picture(browser, "#scene"), EXCITATORY["light"]) > 40)
    scene = picture(browser, "#scene")[3:-3, 3:-3]  # inside its border
    quiet = np.abs(scene - 255).max(axis=2) > 60
    assert quiet.sum() > 500
    assert not quiet[:, :4].any()
    assert not quiet[:, -4:].any()
    assert not quiet[-8:].any()


def test_print_has_the_column_from_the_side_and_no_controls(browser: Any, page: Path) -> None:
    show(browser, page, width=1600, scheme="dark", media="print")
    display = "return getComputedStyle(document.querySelector(arguments[0])).display"
    shown = {name: browser.execute_script(display, name) for name in (".side", ".turning", "nav", ".theme")}
    assert shown == {".side": "block", ".turning": "none", "nav": "none", ".theme": "none"}
    assert browser.execute_script("return getComputedStyle(document.body).color") == "rgb(34, 34, 34)"
    pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert pdf.startswith(b"%PDF")


def test_without_webgl_the_column_is_shown_from_the_side(browser: Any, page: Path, tmp_path: Path) -> None:
    text = page.read_text()
    wanted = 'document.createElement("canvas").getContext("webgl")'
    assert wanted in text
    (tmp_path / "report.html").write_text(text.replace(wanted, "null"))
    browser.get((tmp_path / "report.html").as_uri())
    assert browser.find_element("css selector", ".side").is_displayed()
    assert not browser.find_element("css selector", ".turning").is_displayed()
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
