"""Roles say when, who and how bad on standard error, and nothing of each request that they send."""

from __future__ import annotations

import json
import re
import subprocess
import sys

from tests.waiting import LONG

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
