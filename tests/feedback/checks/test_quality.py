"""The quality of a reply as a turn of a dialogue."""

from __future__ import annotations

from feedback.checks.kinds import ReplyPair
from feedback.checks.quality import Quality, score

CHECK = Quality(0.35)


def test_a_rude_or_empty_turn_fails_the_quality_check() -> None:
    teacher = "您好，很抱歉给您带来不便，您的订单预计明天送达，请问还有什么可以帮您？"
    assert CHECK(ReplyPair([], teacher, "不知道")).failed
    assert not CHECK(ReplyPair([], teacher, "您好，抱歉，您的订单预计明天送达，请问还需要什么帮助吗？")).failed


def test_quality_is_in_range_and_prefers_help() -> None:
    assert score("") == 0.0
    assert score("Sure, your refund of $20 was sent today. Anything else?") > score("no") > 0
