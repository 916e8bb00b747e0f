"""Rows as Lua packs them are read here."""

from __future__ import annotations

import time

import pytest
import redis

from feedback.rows.packed import RowPart, changed, parts
from tests.feedback.applying import Applier
from tests.feedback.factory import exchange

KEPT = "{ g = false, h = {}, i = { x = 1 } }"
PACK = f"return cmsgpack.pack({{ ['1'] = {{ 5, {{}} }}, ['12'] = {{ 7.25, {{ ['click.s'] = 2 }}, {KEPT} }} }}%s)"


@pytest.mark.parametrize(("more", "minute"), [("", 0), (", 29000000", 29_000_000)])
def test_parts_and_minute_of_a_row_of_this_release_and_of_the_one_before(
    redis_url: str, more: str, minute: int
) -> None:
    text = redis.Redis.from_url(redis_url).eval(PACK % more, 0)
    assert parts(text) == {
        "1": RowPart(5.0, {}),
        "12": RowPart(7.25, {"click.s": 2}, {"g": None, "h": {}, "i": {"x": 1}}),
    }
    part = parts(text)["12"]
    assert [part.counted(group) for group in "ghij"] == [None, {}, {"x": 1}, {"click.s": 2}]
    assert changed(text) == minute


def test_a_row_says_when_it_changed(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.events([exchange(1, at=time.time() - 9000)])
    ((_, text),) = applier.client.hgetall("us:kpi:rows:default").items()
    assert abs(changed(text) - time.time() / 60) < 3
    (part,) = parts(text).values()
    assert part.cells["requests"] == 1


@pytest.mark.parametrize("text", [b"", b"\xff", b"\x01", b"\x81\xa1x"])
def test_what_is_no_row_is_said_to_be_none(text: bytes) -> None:
    with pytest.raises(ValueError, match="not a row"):
        parts(text)
