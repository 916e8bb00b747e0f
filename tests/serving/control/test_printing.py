"""What an operator reads on the terminal."""

from __future__ import annotations

from typing import Any

from serving.control import printing
from serving.control.replies.status import StatusReply
from serving.control.replies.versions import MoveReply

STATUS: dict[str, Any] = {
    "epoch": 12, "live": {"teacher": "t1", "student": "v3"}, "previous": [], "slots": {}, "rollout": None,
    "round": {"id": 2, "stage": "canary", "waits": None}, "operation": None, "pool": {"size": 3},
    "frozen": ["promotion"], "bad": {}, "gateways": [{"id": "g1", "epoch": 12, "at": 1.0}], "breaker": {},
    "bus": {"lag": None},
}  # fmt: skip


def shown(**more: Any) -> str:
    return printing.status(StatusReply.model_validate({**STATUS, **more}))


def test_status_names_only_gateways_that_route_by_another_epoch() -> None:
    assert "g1" not in shown()
    astray = [{"id": f"g{n}", "epoch": epoch, "at": 1.0} for n, epoch in ((1, 12), (2, 11), (3, 99))]
    text = shown(gateways=astray)
    assert "behind  g2 is at epoch 11, not 12" in text
    assert "g3 is at epoch 99" in text
    assert "g1 is" not in text


def test_status_says_what_a_round_waits_for() -> None:
    waiting = {"id": 2, "stage": "canary", "waits": "promotion is frozen"}
    assert "2 at canary (waits: promotion is frozen)" in shown(round=waiting)
    assert "waits" not in shown()


def test_status_says_what_is_not_known_of_the_student() -> None:
    caveat = "judged on few: a loss below 5.5 points would not be seen"
    live = {"teacher": "t1", "student": "v3", "caveats": [caveat]}
    assert shown(live=live).splitlines()[1] == f"student v3: {caveat}"


def test_status_says_when_a_round_ends() -> None:
    assert "2 at distil, ends in about 90 s" in shown(round={"id": 2, "stage": "distil", "ends_in": 88.4})
    assert "2 at distil, ends in about 4 min" in shown(round={"id": 2, "stage": "distil", "ends_in": 241.0})
    assert "2 at canary, ends in about 96 h" in shown(round={"id": 2, "stage": "canary", "ends_in": 4 * 86_400.0})
    assert "ends in" not in shown()


def test_status_says_what_similarity_agreement_exact_replies_and_facts_are() -> None:
    lines = shown().splitlines()
    assert [line.partition(":")[0] for line in lines[-4:]] == ["similarity", "agreement", "exact", "facts"]
    for line, word in zip(lines[-4:], ("texts", "tokens", "every token", "number, date, name"), strict=True):
        assert word in line


def test_versions_name_facts_and_exact_replies_beside_agreement() -> None:
    judged = {"general": {"candidate": 0.998, "exact": {"candidate": 0.97}, "facts": {"candidate": 0.985}}}
    assert printing.general(judged) == "0.970/0.985/0.998"
    assert printing.general({"facts": {"general": 0.975}}) == "-/0.975/-"
    assert printing.general({"general": {"candidate": 0.9}}) == "-/-/0.900"
    assert printing.general({}) == printing.general({"general": None, "facts": 3}) == ""


def test_a_move_tells_all_that_came_with_it() -> None:
    done = {"from": "v2", "to": "v1", "epoch": 5, "seconds": 0.1, "follow_seconds": 0.1}
    assert printing.moved(MoveReply.model_validate(done)) == "v2 -> v1 at epoch 5 in 0.10 s"
    more = {
        **done,
        "behind": ["g1"],
        "caveats": ["promoted by hand, judged by no gate"],
        "taken_back": {"version": "v3", "round": 2},
        "warning": "not audited",
    }
    text = printing.rolled_back(MoveReply.model_validate(more))
    for words in (
        "do not follow yet: g1",
        "v1: promoted by hand, judged by no gate",
        "candidate v3 of round 2",
        "not audited",
        "understudy resume promotion",
    ):
        assert words in text


def test_status_shows_the_way_of_an_unfit_student_and_what_is_missing() -> None:
    way = {
        "round": 1, "parent": "v1", "version": "v2", "before": 0.02, "agreement": 0.31, "lower": 0.29, "exact": 0.0,
        "n": 120, "better": True, "started": 1.0, "ended": 2.0,
    }  # fmt: skip
    unfit = {
        "version": "v2", "note": "unfit: 8 of 30 layers of t1", "way": [way], "wanted": 0.85, "rows": 100, "rounds": 9,
        "seconds": 5400.0, "missing": "0.56 of the teacher's tokens missing",
    }  # fmt: skip
    text = shown(live={"teacher": "t1", "student": None}, unfit=unfit)
    assert "student none" in text
    assert "v2 (unfit: 8 of 30 layers of t1) learns and answers nobody; 0.85 makes it a candidate" in text
    assert "1      v1 -> v2  0.02 -> 0.31             0.29      -      0.00   120" in text
    told = shown(unfit={**unfit, "way": [{**way, "facts": 0.125}]}).splitlines()
    assert [text.split().index("facts") for text in told if text.startswith("round  version")] == [8]
    assert any(text.split()[8:10] == ["0.12", "0.00"] for text in told if text.startswith("1 "))
    assert "missing 0.56 of the teacher's tokens missing: about 90 min or more" in text
    assert "missing" not in shown()
