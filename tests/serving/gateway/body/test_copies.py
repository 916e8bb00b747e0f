"""What a copy asks of an engine is what the gateway would have sent it."""

from __future__ import annotations

import pytest

from deploy.engines.splitting.tokens import MAX_TOKENS, splitter_of
from serving.gateway.body.copies import SplitEngine
from tests.feedback.factory import ScriptedEngine
from understudy.errors import BadRequest


async def test_control_tokens_are_split_in_messages_and_all_else_stays() -> None:
    engine = ScriptedEngine("v1")
    split = SplitEngine(engine, splitter_of(("<|end|>",)))
    messages = [{"role": "user", "content": "<s>你好</s> <|end|>", "name": "ada"}]
    assert (await split.chat(messages, version="v1", max_tokens=5)).version == "v1"
    assert engine.asked[-1]["messages"] == [{"role": "user", "content": "<s>你好</s> <\u200b|end|>", "name": "ada"}]
    plain = [{"role": "user", "content": "hello"}]
    await split.chat(plain, version="v1", max_tokens=5)
    assert engine.asked[-1]["messages"] is plain
    assert await split.running() == 0


async def test_more_tokens_than_can_be_split_are_refused() -> None:
    split = SplitEngine(ScriptedEngine("v1"), splitter_of(("<|end|>",)))
    with pytest.raises(BadRequest, match="control tokens"):
        await split.chat([{"role": "user", "content": "<|end|>" * (MAX_TOKENS + 1)}], version="v1", max_tokens=5)
