"""The page of experiments: it holds no data, and in a browser it draws, follows what comes in, and asks nobody else."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from feedback.events import Exchange, Exposure
from feedback.kpis.effects import verdict_effects
from feedback.store.keys import RedisKeys
from feedback.store.server import RedisServer
from serving.control.app import create_app
from serving.control.pages.results import results_page
from serving.control.replies.results import ExperimentResultsReply
from serving.control.sources import Sources
from serving.control.web.files import ADDRESS, FILES
from tests.deploy.fleet import World
from tests.feedback.applying import Applier
from tests.serving.control.conftest import TOKEN
from tests.serving.control.pages.test_results import copied
from tests.serving.control.test_adjusted import COVARIATE, returning
from tests.serving.control.test_results import FILE, SHIPS, same_prompts, traffic
from tests.serving.control.test_switched import crossed
from tests.serving.up.server import served
from tests.shared_data import need_program
from understudy.process.scratch import SHORT

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
    need_program("chromium")
    need_program("chromedriver")
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


def test_in_a_browser_it_draws_follows_and_asks_nobody_else(
    world: World, sources: Sources, admin: TestClient, redis_url: str, browser: webdriver.Chrome
) -> None:
    assert admin.put("/experiments/e", json={**FILE, **COVARIATE}).status_code == 200
    told = traffic(400, {"teacher": 0.9, "student": 0.5})
    events = [one.model_copy(update={"line": "shop"}) if isinstance(one, Exchange) else one for one in told]
    applier = Applier(redis_url)
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
        assert "shop" in browser.find_element(By.ID, "business").text
        rows = browser.find_element(By.ID, "contributions").text.splitlines()
        assert any(row.startswith("first_response_correct student shop 100.0 % -") for row in rows), rows
        assert "first_response_correct student composition - - +0.00 points -" in rows
        assert browser.find_element(By.ID, "adjusted").text.endswith("no unit has a first_response_correct_before")
        applier.events(returning(100))
        wait.until(lambda b: "which 80 of 500 units have" in b.find_element(By.ID, "adjusted").text)
        page = results_page(ExperimentResultsReply.model_validate(admin.get("/experiments/e/results").json()))
        assert browser.find_element(By.ID, "adjusted").text in page.splitlines()
        asked = [json.loads(row["message"])["message"] for row in browser.get_log("performance")]
        urls = [one["params"]["request"]["url"] for one in asked if one["method"] == "Network.requestWillBeSent"]
        assert len(urls) > 6
        assert [url for url in urls if not url.startswith((f"{base}/", "data:", "chrome"))] == []
        wrong = [row for row in browser.get_log("browser") if row["level"] == "SEVERE" and "401" not in row["message"]]
        assert wrong == []


def test_pairs_units_in_two_arms_and_what_switches_did_are_told_in_a_browser(
    world: World, sources: Sources, admin: TestClient, redis_url: str, browser: webdriver.Chrome
) -> None:
    assert admin.put("/experiments/e", json=SHIPS).status_code == 200
    applier = Applier(redis_url)
    applier.commands([verdict_effects(RedisKeys(), one) for one in same_prompts(world, 400)])
    applier.events([*exposed("e", 1, "teacher", 30), *exposed("e", 1, "student", 30, "teacher")])
    crossing = {"id": "x", "switches": {"routing": 0.5, "candidate": 0.5}, "namespace": [0.5, 1],
                "primary": {"kpi": "first_response_correct"}, "stop": {"planned_units": 1_000}}  # fmt: skip
    assert admin.put("/experiments/e", json={**SHIPS, "namespace": [0, 0.5]}).status_code == 200
    assert admin.put("/experiments/x", json=crossing).status_code == 200
    applier.events(crossed(800, "x"))
    applier.commands(copied(200))
    wait = WebDriverWait(browser, PATIENCE)
    with served(create_app(world.conductor, sources, TOKEN)) as base:
        browser.get(f"{base}{ADDRESS}#e")
        browser.find_element(By.ID, "token").send_keys(TOKEN)
        browser.find_element(By.CSS_SELECTOR, "#door button").click()
        wait.until(lambda b: "on 400 prompts of 200 users" in b.find_element(By.ID, "paired").text)
        told = admin.get("/experiments/e/results").json()["paired"][0]
        assert "(worse)" in browser.find_element(By.ID, "paired").text
        assert f"would need {told['split']:.1f} times the prompts" in browser.find_element(By.ID, "paired").text
        assert browser.find_element(By.ID, "two-arms").text.startswith("units in two arms 30:")
        assert not browser.find_element(By.ID, "attribution").is_displayed()
        assert not browser.find_element(By.ID, "copies").is_displayed()
        browser.execute_script("location.hash = 'x'")
        wait.until(lambda b: "routing -0." in b.find_element(By.ID, "attribution").text)
        rows = browser.find_element(By.ID, "attribution").text.splitlines()
        assert [row.split()[1] for row in rows[1:]] == ["routing", "candidate", "change"]
        assert browser.find_element(By.ID, "copies").is_displayed()
        copies = browser.find_element(By.ID, "copies").text.splitlines()
        assert [row.split()[:2] for row in copies if row.startswith("quality")] == [
            ["quality", "routing"], ["quality", "candidate"], ["quality", "change"],
        ]  # fmt: skip
        assert not browser.find_element(By.ID, "paired").is_displayed()
        assert not browser.find_element(By.ID, "two-arms").is_displayed()


def exposed(name: str, phase: int, arm: str, n: int, units: str = "") -> list[Exposure]:
    """Units of a phase of an experiment that were routed to an arm; `units`: those of which arm, else of this one."""
    who = units or arm
    return [
        Exposure(id=f"{name}-{phase}-{arm}-{k}", session=f"s{k}", at=time.time(), unit=f"{who}-{k}", experiment=name,
                 phase=phase, arm=arm, bucket=0.0, epoch=1) for k in range(n)
    ]  # fmt: skip


def test_each_state_of_an_experiment_is_told_in_a_browser(
    world: World, sources: Sources, admin: TestClient, redis_server: RedisServer, redis_url: str,
    browser: webdriver.Chrome,
) -> None:  # fmt: skip
    """In layers and phases, with an alarm and ended, without units, and while nothing can be read."""
    halves = {"arms": {"left": 0.5, "right": 0.5}, "layer": "observe", "primary": {"kpi": "rating"}}
    assert admin.put("/experiments/e", json=FILE).status_code == 200
    assert admin.put("/experiments/e", json={**FILE, "arms": {"teacher": 0.4, "student": 0.6}}).status_code == 200
    assert admin.put("/experiments/lopsided", json={"id": "lopsided", **halves}).status_code == 200
    Applier(redis_url).events([
        *exposed("e", 1, "teacher", 20), *exposed("e", 1, "student", 20), *exposed("e", 2, "student", 9),
        *exposed("lopsided", 1, "left", 900), *exposed("lopsided", 1, "right", 300),
    ])  # fmt: skip
    assert admin.delete("/experiments/lopsided").status_code == 200
    assert admin.put("/experiments/idle", json={"id": "idle", **halves}).status_code == 200
    wait = WebDriverWait(browser, PATIENCE)

    def text(name: str) -> str:
        return browser.find_element(By.ID, name).text

    def opened(name: str, begins: str) -> None:
        browser.execute_script(f"location.hash = '{name}'")
        wait.until(lambda b: text("answer").startswith(begins))

    with served(create_app(world.conductor, sources, TOKEN)) as base:
        browser.get(f"{base}{ADDRESS}#e")
        browser.find_element(By.ID, "token").send_keys(TOKEN)
        browser.find_element(By.CSS_SELECTOR, "#door button").click()
        opened("e", "not enough data")
        assert [row.text for row in browser.find_elements(By.CSS_SELECTOR, "#list p")] == [
            "layer arm: e", "layer observe: idle lopsided (stopped)",
        ]  # fmt: skip
        assert len(browser.find_elements(By.CSS_SELECTOR, "#phases tr")) == 3
        assert "0.6: 9" in text("phases")
        opened("lopsided", "sample-ratio alarm: units do not arrive in the shares asked for")
        assert "NOT as asked for" in text("units")
        assert "It is stopped" in text("ended")
        assert text("phases") == text("phases-title") == ""
        opened("idle", "not enough data: no unit has been exposed")
        assert text("empty").startswith("no unit yet")
        assert browser.find_elements(By.CSS_SELECTOR, "#chart canvas") == []
        browser.execute_script("location.hash = 'nobody'")
        wait.until(lambda b: "there is no experiment 'nobody'" in text("said"))
        assert not browser.find_element(By.ID, "main").is_displayed(), "what another one says is not shown for it"
        redis_server.stop()
        browser.execute_script("location.hash = 'e'")
        wait.until(lambda b: text("said").startswith("no decision on e: its counts cannot be read"))
        assert not browser.find_element(By.ID, "main").is_displayed()
    wait.until(lambda b: text("said").startswith("the control plane does not answer"))
