"""Three hundred real dialogue turns and a round asked for afterwards: few, and yet they end in a judgement."""

from __future__ import annotations

import gzip
import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis
import yaml

from deploy.life.config import GateConfig
from deploy.life.evaluation import Evaluation
from deploy.life.gate import decide
from deploy.rounds.store import FileRounds
from feedback.checks.building import build, run_checks
from feedback.checks.kinds import ReplyPair
from feedback.events import Exchange, exchange_id
from feedback.pool.general import is_general
from feedback.pool.store import Pool
from feedback.shadow.config import ShadowConfig
from feedback.shadow.loop import Answers, make_sample, make_verdict
from feedback.texts import language, last_user
from online_distill.role.trainer import Trainer
from serving.up.config import DEFAULTS
from tests.online_distill.role.conftest import SETTINGS
from tests.shared_data import data_file
from understudy.config import load_config
from understudy.ids import unit_fraction
from understudy.state import StateDir

TURNS = 300
PAIRED = 0.61
"""Of the turns, those that a running system compared in time."""


def turns(lang: str, count: int) -> Iterator[tuple[list[dict[str, Any]], str]]:
    """What was asked, with what was said before, and the reply; short ones, in the order of the file."""
    with gzip.open(data_file("dialogues.jsonl.gz"), "rt") as rows:
        for row in map(json.loads, rows):
            said = [{"role": m["role"], "content": m["content"]} for m in row["messages"] if m.get("content")]
            for at in range(1, len(said)):
                short = sum(len(m["content"]) for m in said[: at + 1]) < 400
                if (
                    row["lang"] == lang
                    and short
                    and [m["role"] for m in said[at - 1 : at + 1]] == ["user", "assistant"]
                ):
                    yield said[:at], said[at]["content"]
                    count -= 1
                if count == 0:
                    return


def fill_as_the_worker_does(redis_url: str) -> int:
    """Pairs whose student answers half of the questions otherwise, through the checks into the pool."""
    pool, checks, pairs = Pool(redis.Redis.from_url(redis_url)), build(ShadowConfig()), 0
    asked = [*turns("en", TURNS // 2), *turns("zh", TURNS // 2)]
    assert len(asked) == TURNS
    for number, (messages, reply) in enumerate(asked):
        identity = exchange_id(f"turn {number}")
        if unit_fraction("in time", identity) >= PAIRED:
            continue
        other = "我不知道，请稍后再来。" if language(reply) == "zh" else "I cannot tell. Come back later."
        student = reply if unit_fraction("right", identity) < 0.4 else other
        exchange = Exchange(
            id=identity, session=f"s{number}", at=float(number), unit="u", messages=messages, reply=reply,
            arm="teacher", version="t1", epoch=1,
        )  # fmt: skip
        answers = Answers(reply, student, "t1", "v1")
        pair = ReplyPair(messages, reply, student, language(last_user(messages) + reply), greedy=True)
        verdict = make_verdict(exchange, answers, run_checks(pair, checks))
        sample = make_sample(exchange, answers, verdict, pair.lang, 3.0)
        if verdict.failed or verdict.kinds:
            pool.admit(sample)
        if is_general(identity) or not (verdict.failed or verdict.kinds):
            pool.anchor(sample)
        pairs += 1
    return pairs


def test_a_round_of_three_hundred_real_turns_in_two_languages_is_judged_on_few(
    state_dir: StateDir, tmp_path: Path, redis_url: str
) -> None:
    """With the settings of `up`, save that less is asked: refused or passed on its rows, never for want of them."""
    assert 160 <= fill_as_the_worker_does(redis_url) <= 210
    redis.Redis.from_url(redis_url).set("us:round:request", "asked after the replay")
    path, gate = tmp_path / "understudy.yaml", {**DEFAULTS["gate"], "safety_prompts": 20}
    data = {"holdout_share", "reserved_clusters"}
    settings = {k: v for k, v in SETTINGS.items() if k not in data} | {"budget_seconds": 8, "max_epochs": 1}
    path.write_text(yaml.safe_dump({"redis": {"url": redis_url}, "trainer": settings, "gate": gate}))
    assert Trainer(state_dir, load_config(path, {}), threading.Event()).tick() is True
    rounds = FileRounds(state_dir)
    judged = rounds.get(1)
    assert (judged.state, judged.why) == ("gate", "asked after the replay"), judged.stages
    evaluation = Evaluation.model_validate_json(rounds.file(1, "evaluate", "evaluation.json").read_bytes())
    decision = decide(evaluation, GateConfig(**gate))
    assert "rows" not in {refusal.clause for refusal in decision.refusals}
    assert decision.few.startswith("judged on few: a loss below")
    assert decision.rows["general"] >= 20
    assert decision.rows["hard"] >= 10
    assert set(Counter(judged.stages["select"].summary["languages"])) == {"en", "zh"}
