"""Roles say when, who and how bad on standard error, and nothing of each request that they send."""

from __future__ import annotations

import re
import subprocess
import sys

CODE = """
import logging
from understudy import logs
logs.set_up()
logging.getLogger("understudy.test").info("begun")
logging.getLogger("httpx").info("HTTP Request: GET ...")
"""


def test_a_role_writes_time_name_and_level_to_standard_error() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} understudy\.test INFO begun", line)
