"""What the page of metrics tells of users whose breaker is open."""

from __future__ import annotations

from serving.breaker.config import UserBreakerConfig
from serving.breaker.machine import CallOutcome
from serving.breaker.users import UserBreakers, user_name
from serving.gateway.guarding import figures
from serving.guard.counts import GuardCounts
from understudy.telemetry.metrics import MetricsPage


def test_open_breakers_of_users_are_told_until_they_are_released() -> None:
    page, users = MetricsPage("gateway"), UserBreakers(UserBreakerConfig(), lambda: 0.0)
    figures.show(page, GuardCounts(), users)
    assert "understudy_adversarial_breaker_open 0.0" in page.render()
    while call := users.begin("acme", "user:mallory"):
        call.end(CallOutcome.BAD)
    assert "understudy_adversarial_breaker_open 1.0" in page.render()
    users.release(user_name("acme", "user:mallory"))
    assert "understudy_adversarial_breaker_open 0.0" in page.render()
    assert "understudy_adversarial_breaker_openings_total 1.0" in page.render()
