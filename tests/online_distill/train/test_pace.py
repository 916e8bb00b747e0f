"""Steps that fit the time."""

from __future__ import annotations

from online_distill.train.pace import revised


def test_the_number_of_steps_follows_the_pace() -> None:
    assert revised(done=20, steps=100, spent=40.0, seconds=100.0, least=10, most=500) == 50
    assert revised(done=20, steps=100, spent=20.4, seconds=100.0, least=10, most=500) == 100
    assert revised(done=20, steps=100, spent=2.0, seconds=100.0, least=10, most=500) == 500
    assert revised(done=20, steps=100, spent=200.0, seconds=100.0, least=24, most=500) == 24
    assert revised(done=30, steps=100, spent=200.0, seconds=100.0, least=24, most=500) == 31
