"""What help shows can be pasted: every example that ends by itself is run against a control plane that runs."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from feedback.flagged.config import FlaggedConfig
from feedback.flagged.store import FlaggedStore, entry_id
from feedback.pool.config import PoolConfig
from feedback.pool.store import Pool
from feedback.privacy.vault import FOLDER, Vault
from feedback.store.connection import connect
from feedback.store.keys import RedisKeys
from serving.breaker.users import user_name
from serving.control.client import URL_ENV
from serving.guard.tuning import needed
from tests.feedback.factory import exchange, hard
from tests.pasted import examples
from tests.serving.conftest import ROOT, Control
from tests.serving.up.server import served
from understudy import cli
from understudy.commands import COMMANDS

ENDLESS = {"up", "serve", "engine", "worker", "train", "controller"}
"""Roles; their own tests start them with the words of their examples."""
ELSEWHERE = {
    "bench", "rounds repeat", "rounds attribute", "models check", "models import", "models cut", "init",
    "experiment plan",
}  # fmt: skip
"""Measurements; and what asks for a finished round, models of one's own or figures of the past: others paste it."""
FLAGGED = "3f2a9c0d"
"""The request that examples name."""


def answering(control: Control, folder: Path) -> contextlib.AbstractContextManager[None]:
    """A gateway that answers, where the state directory says."""

    async def answer(_: Request) -> Response:
        message = {"role": "assistant", "content": "On May 7."}
        return JSONResponse({"choices": [{"message": message, "finish_reason": "stop"}]})

    @contextlib.contextmanager
    def running() -> Iterator[None]:
        with served(Starlette(routes=[Route("/v1/chat/completions", answer, methods=["POST"])])) as url:
            control.state.addresses.write_text(json.dumps({"gateway": url}))
            try:
                yield
            finally:
                control.state.addresses.unlink()

    return running()


def applied(control: Control, folder: Path) -> contextlib.AbstractContextManager[object]:
    """The experiment of the documentation."""
    assert cli.main(["experiment", "apply", "docs/experiment.yaml"]) == 0
    return contextlib.nullcontext()


def asked_before(control: Control, folder: Path) -> contextlib.AbstractContextManager[object]:
    """Turns of users, some in the pool and some in a file."""
    turns = [f"Where is parcel {n}? It was sent on day {n * 7}." for n in range(needed(0.01))]
    (folder / "turns.jsonl").write_text("".join(json.dumps({"text": turn}) + "\n" for turn in turns))
    pool = Pool(connect(control.redis_url), RedisKeys().prefix, PoolConfig(), Vault(control.state.spool / FOLDER))
    for n in range(0, len(turns), 100):
        pool.admit(hard(n, messages=[{"role": "user", "content": turn} for turn in turns[n : n + 100]]))
    return contextlib.nullcontext()


def flagged(control: Control, folder: Path) -> contextlib.AbstractContextManager[object]:
    """A request that the guard flagged."""
    vault = Vault(control.state.spool / FOLDER)
    store = FlaggedStore(connect(control.redis_url), RedisKeys(), FlaggedConfig(), vault)
    store.keep(exchange(1, flagged=True, guard_stage="model", guard_user=user_name("default", "user:ada")), time.time())
    return contextlib.nullcontext()


PREPARED: dict[str, Callable[[Control, Path], contextlib.AbstractContextManager[object]]] = {
    "replay": answering, "experiment export": applied, "guard tune": asked_before, "guard flagged": flagged,
}  # fmt: skip
"""What there must be before an example is pasted."""


@pytest.mark.parametrize("name", [c.words for c in COMMANDS if c.words not in ENDLESS | ELSEWHERE])
def test_examples_work_when_pasted(
    name: str,
    control: Control,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    control.ready()
    control.call("POST", "/resume", json={"what": "promotion"})
    for variable, value in control.environment().items():
        monkeypatch.setenv(variable, value)
    monkeypatch.delenv(URL_ENV)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / ".understudy").symlink_to(control.state.root)
    with PREPARED.get(name, lambda *_: contextlib.nullcontext())(control, tmp_path):
        monkeypatch.setattr("time.sleep", _stop)
        for example in examples(name, capsys):
            live = control.call("GET", "/status").json()["live"]["student"]
            known = {FLAGGED: entry_id("default", "resp-1")[:8]}
            other = {"v1": "v2", "v2": "v1"}[live]
            words = [other if re.fullmatch(r"v\d", word) else known.get(word, word) for word in shlex.split(example)]
            with contextlib.suppress(KeyboardInterrupt):
                code = cli.main(words[1:])
                told = capsys.readouterr()
                fine = (0, 1) if name == "doctor" else (0, cli.INTERRUPTED)  # which says what this machine lacks
                assert code in fine, f"{example}: {told.err or told.out}"
                assert name != "doctor" or "cores" in told.out


def _stop(_: float) -> None:
    """Ctrl-C where a command would wait."""
    raise KeyboardInterrupt
