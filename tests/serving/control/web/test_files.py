"""The page of experiments: it holds no data, and in a browser it draws, follows what comes in, and asks nobody else."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from serving.control.app import create_app
from serving.control.sources import Sources
from serving.control.web.files import ADDRESS, FILES
from tests.deploy.fleet import World
from tests.feedback.applying import Applier
from tests.serving.control.conftest import TOKEN
from tests.serving.control.test_results import FILE, traffic
from tests.serving.up.server import served
from understudy.process.scratch import SHORT

NEEDS = pytest.mark.skipif(
    not (shutil.which("chromedriver") and shutil.which("chromium")),
    reason="no chromium with its driver here; `scripts/system-packages` brings both",
)
PATIENCE = 60.0


def test_the_files_ask_for_no_token_and_name_no_other_address(admin: TestClient) -> None:
    for address in FILES:
        answer = admin.get(f"http://t{address}", headers={"authorization": ""})
        assert answer.status_code == 200, address
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        loaded = re.findall(r"(?:src|href|url|fetch)\s*[=(]\s*[\"']?(https?:|//)", answer.text)
        assert loaded == [], address
    assert admin.get(f"http://t{ADDRESS}/other", headers={"authorization": ""}).status_code == 401


def test_the_charting_library_keeps_its_notice(admin: TestClient) -> None:
    assert "uPlot (v1.6.32)" in admin.get(f"http://t{ADDRESS}/uplot.js").text[:200]


@pytest.fixture
def browser() -> Iterator[webdriver.Chrome]:
    """Debian's Chromium without a window, which notes every request; its socket's path has to be short."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for one in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--window-size=1100,1400",
    ):
        options.add_argument(one)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    with tempfile.TemporaryDirectory(prefix="understudy-", dir=SHORT, ignore_cleanup_errors=True) as home:
        places = {"HOME": home, "TMPDIR": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home}
        service = webdriver.ChromeService(str(shutil.which("chromedriver")), env={**os.environ, **places})
        made = webdriver.Chrome(options, service)
        yield made
        made.quit()


@NEEDS
def test_in_a_browser_it_draws_follows_and_asks_nobody_else(
    world: World, sources: Sources, admin: TestClient, redis_url: str, browser: webdriver.Chrome
) -> None:
    assert admin.put("/experiments/e", json=FILE).status_code == 200
    applier, events = Applier(redis_url), traffic(400, {"teacher": 0.9, "student": 0.5})
    applier.events(events[: len(events) // 2])
    wait = WebDriverWait(browser, PATIENCE)
    with served(create_app(world.conductor, sources, TOKEN)) as base:
        browser.get(f"{base}{ADDRESS}")
        browser.find_element(By.ID, "token").send_keys("wrong")
        browser.find_element(By.CSS_SELECTOR, "#door button").click()
        wait.until(lambda b: "admin.token" in b.find_element(By.ID, "said").text)
        browser.find_element(By.ID, "token").clear()
        browser.find_element(By.ID, "token").send_keys(TOKEN)
        browser.find_element(By.CSS_SELECTOR, "#door button").click()
        wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "#chart canvas"))
        assert browser.find_element(By.ID, "chart").get_dom_attribute("data-units") == "200"
        assert browser.find_element(By.ID, "answer").text.startswith("not enough data: student against")
        assert "first_response_correct" in browser.find_element(By.ID, "kpis").text
        drawn = "const c = document.querySelector('#chart canvas'); return c.getContext('2d')"
        drawn += ".getImageData(0, 0, c.width, c.height).data.some((x) => x > 0)"
        assert browser.execute_script(drawn)
        applier.events(events[len(events) // 2 :])
        wait.until(lambda b: b.find_element(By.ID, "chart").get_dom_attribute("data-units") == "400")
        answer = browser.find_element(By.ID, "answer")
        assert (answer.get_dom_attribute("data-decision"), "less often" in answer.text) == ("stop for harm", True)
        assert "another id" in browser.find_element(By.ID, "outlook").text
        asked = [json.loads(row["message"])["message"] for row in browser.get_log("performance")]
        urls = [one["params"]["request"]["url"] for one in asked if one["method"] == "Network.requestWillBeSent"]
        assert len(urls) > 6
        assert [url for url in urls if not url.startswith((f"{base}/", "data:", "chrome"))] == []
        wrong = [row for row in browser.get_log("browser") if row["level"] == "SEVERE" and "401" not in row["message"]]
        assert wrong == []
