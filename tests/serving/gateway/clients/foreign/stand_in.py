"""Pytest plugin for the tests of another repository, loaded by `scripts/client-tests`: nothing of ours may be imported.

What became of each test goes into the file `FOREIGN_REPORT`, as JSON {name: outcome}. With `FOREIGN_URL`, the server at
that address stands in for those that vLLM's tests start, and the tokenizer in the folder `FOREIGN_MODEL` for those of
their models; a test that passes without a word to that server is told as such.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
from collections.abc import Callable, Generator
from types import ModuleType
from typing import Any

import huggingface_hub
import openai
import pytest

outcomes: dict[str, str] = {}
ASKED_NOBODY = "passed, and asked no server"


class RemoteOpenAIServer:
    """What vLLM's tests ask of the class of this name, without a process; its arguments are the running server's."""

    DUMMY_API_KEY = "token-abc123"
    asked = 0
    """How often anybody wanted to reach it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.url_root = os.environ["FOREIGN_URL"]

    def __enter__(self) -> RemoteOpenAIServer:
        return self

    def __exit__(self, *args: object) -> None:
        """It goes on for the next module."""

    def url_for(self, *parts: str) -> str:
        RemoteOpenAIServer.asked += 1
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
        huggingface_hub.HfApi.snapshot_download = lambda *args, **kwargs: "teacher"  # the model that the server has
        theirs: Any = importlib.import_module("vllm.tokenizers")
        theirs.get_tokenizer = functools.partial(one_tokenizer, theirs.get_tokenizer)


def one_tokenizer(get: Callable[..., Any], tokenizer_name: str, *args: Any, **kwargs: Any) -> Any:
    """The tokenizer of the server's model, whichever is asked for."""
    return get(os.environ["FOREIGN_MODEL"], *args, **kwargs)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Tell a test that passed without the server, and so shows nothing of it, from those that did ask."""
    before = RemoteOpenAIServer.asked
    done = yield
    if "FOREIGN_URL" in os.environ and RemoteOpenAIServer.asked == before and outcomes.get(item.nodeid) == "passed":
        outcomes[item.nodeid] = ASKED_NOBODY
    return done


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the worst that became of a test."""
    if outcomes.get(report.nodeid) != "failed" and (report.when == "call" or report.outcome != "passed"):
        outcomes[report.nodeid] = report.outcome


def pytest_sessionfinish() -> None:
    """Write what became of all."""
    with open(os.environ["FOREIGN_REPORT"], "w", encoding="utf-8") as file:
        json.dump(outcomes, file)
