"""What an operator reads on the terminal."""

from __future__ import annotations

from typing import Any

from serving.control import printing

STATUS: dict[str, Any] = {
    "epoch": 12, "live": {"teacher": "t1", "student": "v3"}, "previous": [], "slots": {}, "rollout": None,
    "round": {"id": 2, "stage": "canary", "waits": None}, "operation": None, "pool": {"size": 3},
    "frozen": ["promotion"], "bad": {}, "gateways": [{"id": "g1", "epoch": 12}],
}  # fmt: skip


def test_status_names_only_gateways_that_route_by_another_epoch() -> None:
    assert "g1" not in printing.status(STATUS)
    astray = [{"id": "g1", "epoch": 12}, {"id": "g2", "epoch": 11}, {"id": "g3", "epoch": 99}]
    text = printing.status({**STATUS, "gateways": astray})
    assert "behind  g2 is at epoch 11, not 12" in text
    assert "g3 is at epoch 99" in text
    assert "g1 is" not in text


def test_status_says_what_a_round_waits_for() -> None:
    waiting = {"id": 2, "stage": "canary", "waits": "promotion is frozen"}
    assert "2 at canary (waits: promotion is frozen)" in printing.status({**STATUS, "round": waiting})
    assert "waits" not in printing.status(STATUS)


def test_status_says_what_similarity_is_and_what_agreement_is() -> None:
    lines = printing.status(STATUS).splitlines()
    assert [line.partition(":")[0] for line in lines[-2:]] == ["similarity", "agreement"]
    assert "texts" in lines[-2]
    assert "tokens" in lines[-1]


def test_a_move_tells_all_that_came_with_it() -> None:
    done = {"from": "v2", "to": "v1", "epoch": 5, "seconds": 0.1}
    assert printing.moved(done) == "v2 -> v1 at epoch 5 in 0.10 s"
    more = {**done, "behind": ["g1"], "taken_back": {"version": "v3", "round": 2}, "warning": "not audited"}
    text = printing.rolled_back(more)
    for words in ("do not follow yet: g1", "candidate v3 of round 2", "not audited", "understudy resume promotion"):
        assert words in text
