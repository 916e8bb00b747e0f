"""Pytest plugin for the tests of another repository, loaded by `scripts/client-tests`: nothing of ours may be imported.

What became of each test goes into the file `FOREIGN_REPORT`, as JSON {name: outcome}. With `FOREIGN_URL`, the server at
that address stands in for those that vLLM's tests start.
"""

from __future__ import annotations

import json
import os
import sys
from types import ModuleType
from typing import Any

import huggingface_hub
import openai
import pytest

outcomes: dict[str, str] = {}


class RemoteOpenAIServer:
    """What vLLM's tests ask of the class of this name, without a process; its arguments are the running server's."""

    DUMMY_API_KEY = "token-abc123"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.url_root = os.environ["FOREIGN_URL"]

    def __enter__(self) -> RemoteOpenAIServer:
        return self

    def __exit__(self, *args: object) -> None:
        """It goes on for the next module."""

    def url_for(self, *parts: str) -> str:
        return "/".join([self.url_root, *(part.strip("/") for part in parts if part)])

    def get_client(self, **more: Any) -> openai.OpenAI:
        return openai.OpenAI(
            base_url=self.url_for("v1"), api_key=self.DUMMY_API_KEY, max_retries=0, **{"timeout": 600, **more}
        )

    def get_async_client(self, **more: Any) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(
            base_url=self.url_for("v1"), api_key=self.DUMMY_API_KEY, max_retries=0, **{"timeout": 600, **more}
        )


def pytest_configure() -> None:
    """Put the class where their tests import it from; the module itself would load all of vLLM."""
    if "FOREIGN_URL" in os.environ:
        module: Any = ModuleType("tests.utils")
        module.RemoteOpenAIServer, module.ROCM_EXTRA_ARGS = RemoteOpenAIServer, []
        sys.modules["tests.utils"] = module
        huggingface_hub.snapshot_download = lambda *args, **kwargs: ""  # adapters, which the server has by name


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the worst that became of a test."""
    if outcomes.get(report.nodeid) != "failed" and (report.when == "call" or report.outcome != "passed"):
        outcomes[report.nodeid] = report.outcome


def pytest_sessionfinish() -> None:
    """Write what became of all."""
    with open(os.environ["FOREIGN_REPORT"], "w", encoding="utf-8") as file:
        json.dump(outcomes, file)
