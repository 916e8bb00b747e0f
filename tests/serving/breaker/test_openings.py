"""Openings through a real Redis: each is read once, and no longer than it holds."""

from __future__ import annotations

import pytest

from deploy.routing.quick_redis import QuickRedis
from serving.breaker.openings import Opening, Openings, parsed


def gateway(redis_url: str, source: str) -> Openings:
    return Openings(QuickRedis(redis_url), "us:breaker", source, 900.0)


def test_others_read_each_opening_once_and_nobody_their_own(redis_url: str) -> None:
    one, other = gateway(redis_url, "g1"), gateway(redis_url, "g2")
    assert other.news() == []
    assert one.tell(Opening("mallory", 60.0))
    assert one.news() == []
    (news,) = other.news()
    assert news.name == "mallory"
    assert 0 < news.seconds <= 60.0
    assert other.news() == []
    assert one.tell(Opening("mallory", 0.0))
    assert other.news() == [Opening("mallory", 0.0)]


def test_a_gateway_that_starts_later_learns_what_still_holds(redis_url: str) -> None:
    one = gateway(redis_url, "g1")
    one.tell(Opening("long", 60.0))
    one.tell(Opening("over", 0.000_1))
    later = gateway(redis_url, "g2")
    assert [news.name for news in later.news() if news.seconds] == ["long"]


def test_a_redis_that_is_away_says_nothing() -> None:
    away = gateway("redis://127.0.0.1:1", "g1")
    assert not away.tell(Opening("mallory", 60.0))
    assert away.news() == []


class SetBack:
    """A Redis whose clock was set back after an entry was written."""

    def __init__(self) -> None:
        self.now = 5_000
        self.asked: list[str] = []

    def call(self, name: str, *args: object, **kwargs: object) -> object:
        if name == "time":
            return (self.now, 0)
        assert isinstance(args[0], dict)
        self.asked += args[0].values()
        return [("k", [(f"{self.now * 1000}-0", {"name": "n", "seconds": "9", "source": "other"})])]


def test_a_clock_that_goes_back_hides_nothing() -> None:
    redis = SetBack()
    openings = Openings(redis, "k", "g1", 100.0)
    assert openings.news() == [Opening("n", 9.0)]
    redis.now = 1_000
    assert openings.news() == [Opening("n", 9.0)]
    assert redis.asked == ["4900000-0", "900000-0"]


@pytest.mark.parametrize("entry", [{}, {"name": "n"}, {"name": "n", "seconds": "x"}, {"name": "n", "seconds": "nan"},
                                   {"name": "n", "seconds": "-1"}])  # fmt: skip
def test_what_is_no_opening_is_left_out(entry: dict[str, str]) -> None:
    assert parsed(entry, 0.0) is None


def test_an_opening_from_the_future_holds_no_longer_than_it_says() -> None:
    assert parsed({"name": "n", "seconds": "10"}, -50.0) == Opening("n", 10.0)
    assert parsed({"name": "n", "seconds": "10"}, 4.0) == Opening("n", 6.0)
