"""A factorial of live users while a candidate is in its canary, its switches valued on copies beside it: from a gateway
through outbox, bus and worker to what the control plane says. The engines are played."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ab.experiment import Experiment
from ab.switches import answers
from feedback.kpis.ratios import ratios
from feedback.shadow.asking import Reply
from feedback.shadow.pairing import Valued
from serving.control.results import on_copies, results
from serving.gateway.guarding.watch import GuardWatch
from serving.guard.config import GuardConfig
from tests.feedback.conftest import World
from tests.feedback.factory import ScriptedEngine
from tests.serving.gateway.conftest import Running, both, document
from tests.serving.gateway.upstream import Engine
from tests.serving.guard.words import ATTACK, WordModel

Serve = Callable[..., Running]
Make = Callable[..., Engine]
USERS = 28
SAID = ScriptedEngine("v1").text
CROSSED = Experiment.model_validate({
    "id": "x", "switches": {"routing": 0.5, "candidate": 0.5, "guard": 0.5}, "stop": {"planned_units": 40},
    "primary": {"kpi": "flagged"}, "shadow": {"rate": 1, "coalitions": 1},
})  # fmt: skip


class Candidate(ScriptedEngine):
    """Says of every fourth parcel what the others say."""

    async def chat(self, messages: list[dict[str, Any]], **given: Any) -> Reply:
        parcel = int(re.sub(r"\D", "", messages[-1]["content"]))
        self.text = SAID if parcel % 4 == 0 else "您的订单将在 5 天内送达。"
        return await super().chat(messages, **given)


@pytest.fixture
def learning(redis_url: str, tmp_path: Path) -> World:
    """An outbox and a worker, whose copies teacher, stable version and candidate are asked on."""
    made = World(redis_url, tmp_path)
    made.bus_url = redis_url
    made.directory.students = [ScriptedEngine("v1"), Candidate("v2")]
    made.directory.candidate, made.directory.step = "v2", 0
    made.directory.coalitions = {"x": Valued(1.0, answers(CROSSED.switches))}
    return made


async def test_a_candidate_in_its_canary_is_valued_live_and_on_copies_and_attacks_are_on_no_copy(
    serve: Serve, engine: Make, learning: World
) -> None:
    engines = {**both(engine), "candidate": engine("candidate")}
    running = serve(
        document(engines, experiments=(CROSSED,), candidate="v2", candidate_share=0.3, candidate_step=0)
    )  # fmt: skip
    config = GuardConfig.model_validate({"mode": "enforce", "deadline_ms": 10_000})
    running.gateway.guard = GuardWatch(config, WordModel())
    for n in range(USERS):
        for text in (f"Where is parcel {n}?", f"{ATTACK} {n}"):
            headers = {"x-understudy-user": f"u{n}", "x-understudy-session": f"{n} {text}"}
            assert running.client.chat(text, headers=headers, temperature=0, max_tokens=64)[0] == 200
    exchanges = running.spool.exchanges
    served = {(one.experiments[0].arm.replace("+guard", "").replace("guard", "none"), one.version) for one in exchanges}
    assert served - {(arm, "") for arm, _ in served} == {
        ("none", "t1"), ("candidate", "t1"), ("routing", "v1"), ("routing+candidate", "v2"),
    }  # fmt: skip
    for event in (*running.spool.exposures, *exchanges):
        learning.gateway.put(event)
    try:
        await learning.work(lambda: learning.kpis.counters().get("coalitions") == USERS and counted(learning) == USERS)
    finally:
        learning.gateway.close()
        learning.outbox.close()
    found = {one.metric: one for one in on_copies(CROSSED, learning.kpis.paired("x"))}
    exact = found["exact"]
    assert (exact.prompts, exact.n, exact.players) == (USERS, USERS, ["routing", "candidate"])
    assert exact.values == pytest.approx({"": 1.0, "routing": 1.0, "candidate": 1.0, "routing,candidate": 0.25})
    shares = {name: one.value for name, one in exact.shapley.items()}
    assert shares == pytest.approx({"routing": -0.375, "candidate": -0.375})
    arms = learning.kpis.arms("x")
    told = results(CROSSED, "active", arms, {}, ratios(learning.config), {}, running.gateway.clock())
    cells = Counter(one.experiments[0].arm for one in exchanges)
    assert {arm: 2 * one.units for arm, one in told.arms.items()} == {**dict.fromkeys(CROSSED.arms, 0), **cells}
    assert told.attribution[0].values["routing,candidate,guard"][0] == pytest.approx(0.5)


def counted(learning: World) -> int:
    """Units of whom both requests are in their cell."""
    arms = learning.kpis.arms("x").get(0, {}).values()
    return round(sum(sums.get("requests", 0.0) for hours in arms for sums in hours.values()) / 2)
