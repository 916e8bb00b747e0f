"""The guard with the weights that are shipped, where an attack may stand: far behind, beside the messages, in pieces.

Attacks are rows of ../shared/data that the weights have mostly learned: what is tried is the places, not the model.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from itertools import islice
from typing import Any

import pytest

from serving.gateway.guarding.watch import GuardWatch
from serving.guard.config import GuardConfig
from serving.guard.model.linear import LinearModel
from serving.guard.verdict import GuardVerdict
from serving.guard.windows import MOST
from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.upstream import Engine
from tests.shared_data import data_file
from trials.guard.judging import guard_of, judge_text
from trials.guard.rows import NAME, guard_rows
from trials.shared_data import json_rows

Serve = Callable[..., Running]
MODEL = LinearModel.load()
LONG_FAMILIES = ("jailbreak:template_gptfuzz", "jailbreak:jbb_JBC", "jailbreak:dan_persona")
SHORT_FAMILY = "prompt_injection:promptinject_hijack"
EACH, LEAST = 5, 500
"""Attacks of each family, and characters of one at least: a text is judged by its worst stretch of 512."""
PROMPT, BEFORE = MOST, 20_000
IMAGE = {"type": "image_url", "image_url": {"url": "https://e/x.png"}}


@cache
def of_family(family: str) -> tuple[str, ...]:
    return tuple(row.text for row in guard_rows(data_file(NAME)) if row.family == family)


def long_attacks() -> list[str]:
    texts = ([text for text in of_family(family) if len(text) >= LEAST][:EACH] for family in LONG_FAMILIES)
    return [text for found in texts for text in found]


@cache
def harmless() -> str:
    """Short turns of users, one a line."""
    rows = (row for row in json_rows(data_file("dialogues.jsonl.gz")) if row["lang"] == "en")
    said = (one["content"] for row in islice(rows, 150) for one in row["messages"] if one["role"] == "user")
    return "\n".join(text for text in said if len(text) <= 200)[:PROMPT]


def far_behind(attack: str) -> dict[str, Any]:
    text = f"{harmless()[:BEFORE]}\n{attack}\n{harmless()[BEFORE:]}"[:PROMPT]
    return {"messages": [{"role": "user", "content": text}]}


def of_a_tool(attack: str) -> dict[str, Any]:
    tool = {"type": "function", "function": {"name": "f", "description": attack, "parameters": {}}}
    return {"messages": [{"role": "user", "content": "Where is my parcel?"}], "tools": [tool]}


def beside_an_image(attack: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [IMAGE, {"type": "text", "text": attack}]}]}


def in_two(attack: str) -> dict[str, Any]:
    half = len(attack) // 2
    return {"messages": [{"role": "user", "content": text} for text in (attack[:half], attack[half:])]}


PLACES = {
    "the second half of a prompt of 32,000 characters": far_behind, "a tool's description": of_a_tool,
    "an image's text part": beside_an_image, "two messages": in_two,
}  # fmt: skip


def guarded(serve: Serve, teacher: Engine) -> Running:
    running = serve(document({"teacher": teacher}))
    running.gateway.guard = GuardWatch(GuardConfig(mode="enforce", deadline_ms=10_000), MODEL)
    return running


def verdict(running: Running, number: int, asked: dict[str, Any]) -> str:
    """What the request of a user of its own came to."""
    raw = json.dumps({"model": "auto", "user": f"user-{number}", **asked}).encode()
    status, headers, _ = running.client.send("POST", "/v1/chat/completions", raw)
    assert status == 200
    flagged = "flag" if running.spool.exchanges[-1].flagged else ""
    return headers.get("x-understudy-degraded", flagged)


@pytest.mark.parametrize("where", PLACES)
def test_the_shipped_weights_find_a_long_attack_wherever_it_stands(serve: Serve, teacher: Engine, where: str) -> None:
    attacks = long_attacks()
    assert len(attacks) == EACH * len(LONG_FAMILIES)
    running = guarded(serve, teacher)
    found = [verdict(running, number, PLACES[where](attack)) for number, attack in enumerate(attacks)]
    assert {"", "breaker", "deadline"}.isdisjoint(found), found


def test_what_stands_around_the_attack_is_harmless_to_them(serve: Serve, teacher: Engine) -> None:
    assert len(harmless()) == PROMPT
    asked = {"messages": [{"role": "user", "content": harmless()}]}
    assert verdict(guarded(serve, teacher), 0, asked) == ""


def test_of_two_messages_neither_of_which_is_degraded_alone_the_shipped_weights_degrade_the_whole(
    serve: Serve, teacher: Engine
) -> None:
    guard = guard_of(MODEL)

    def parted(text: str) -> tuple[str, str] | None:
        words = text.split(" ")
        cuts = ((" ".join(words[:at]), " ".join(words[at:])) for at in range(1, len(words)))
        degraded = GuardVerdict.DEGRADE
        return next((cut for cut in cuts if all(judge_text(guard, half) is not degraded for half in cut)), None)

    cuts = [cut for text in of_family(SHORT_FAMILY) if (cut := parted(text)) is not None]
    assert len(cuts) >= 10, "too few of them show anything"
    running = guarded(serve, teacher)
    for number, cut in enumerate(cuts):
        asked = {"messages": [{"role": "user", "content": half} for half in cut]}
        assert verdict(running, number, asked) == "guard", cut
