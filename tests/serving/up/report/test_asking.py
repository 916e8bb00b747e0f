"""How the report asks: so many at a time, in order, and which line of a stream is the first word."""

from __future__ import annotations

import asyncio
import json

import pytest

from serving.up.report.asking import over, spoken


async def test_answers_come_in_order_and_no_more_are_asked_at_once_than_allowed() -> None:
    now, most = 0, 0

    async def ask(item: int) -> int:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01 * (5 - item))
        now -= 1
        return item * 10

    assert await over(range(5), ask, at_once=2) == [0, 10, 20, 30, 40]
    assert most == 2


@pytest.mark.parametrize(
    ("choices", "first"),
    [([{"delta": {"content": "Hi"}}], True), ([{"delta": {"role": "assistant", "content": ""}}], False), ([], False)],
)
def test_only_text_is_a_first_token(choices: list[dict[str, object]], first: bool) -> None:
    assert spoken(f"data: {json.dumps({'choices': choices})}") is first
