"""Roles say when, who and how bad on standard error, and nothing of each request that they send."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from tests.waiting import LONG
from understudy import cli
from understudy.logs import JSON_VARIABLE

CODE = """
import logging
from understudy import logs
logs.set_up()
logging.getLogger("understudy.test").info("begun")
logging.getLogger("httpx").info("HTTP Request: GET ...")
"""


def test_a_role_writes_time_name_and_level_to_standard_error() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=LONG)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} understudy\.test INFO begun", line)


def test_with_log_json_every_line_is_an_object_with_what_went_wrong() -> None:
    code = """
import logging, sys
from understudy import cli, logs
cli.main(["--log-json", "--version"])
logs.set_up()
log = logging.getLogger("understudy.test")
log.info("第一行\\n第二行")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=LONG)
    first, second = (json.loads(line) for line in done.stderr.splitlines())
    assert (first["level"], first["logger"], first["message"]) == ("INFO", "understudy.test", "第一行\n第二行")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["at"])
    assert "ZeroDivisionError" in second["error"]


def test_with_log_json_a_warning_and_what_ends_the_process_are_objects_too() -> None:
    code = """
import warnings
from understudy import logs
logs.set_up()
warnings.warn("soon gone")
raise RuntimeError("nothing goes on")
"""
    asked = {**os.environ, "UNDERSTUDY_LOG_JSON": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=asked, capture_output=True, text=True, timeout=60)
    first, second = (json.loads(line) for line in done.stderr.splitlines())
    assert (done.returncode, first["level"], second["level"]) == (1, "WARNING", "CRITICAL")
    assert "soon gone" in first["message"]
    assert "RuntimeError: nothing goes on" in second["error"]


@pytest.mark.parametrize("words", [["train", "--state", "/nowhere"], ["worker", "--rolls"]])
def test_with_log_json_a_refused_start_is_an_object_too(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(JSON_VARIABLE, "1")
    assert cli.main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["level"] == "ERROR"
    assert words[-1] in json.loads(line)["message"]
