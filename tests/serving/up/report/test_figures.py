"""Figures of the report by their definitions."""

from __future__ import annotations

import pytest

from deploy.routing.document import RoutingDocument, SlotView
from serving.up.report.demands import TokenPart
from serving.up.report.figures import (
    ComparedReply,
    agreement,
    by_part,
    common,
    covered,
    facts,
    from_one_version,
    gaps,
    ordinary,
    prefix,
    windows,
)


def test_agreement_and_prefix_count_tokens_over_all_prompts() -> None:
    pairs = [
        ComparedReply((1, 2, 3, 4), (1, 2, 9, 4), (True, True, False, True), True),
        ComparedReply((5, 6), (7, 6), (False, True), False),
    ]
    assert agreement(pairs) == pytest.approx(4 / 6)
    assert prefix(pairs) == pytest.approx(2 / 6)
    assert facts(pairs) == 0.5
    assert (agreement([]), prefix([]), facts([])) == (0.0, 0.0, 0.0)


def test_agreement_is_told_by_what_a_token_is() -> None:
    sorts: tuple[TokenPart, ...] = ("wording", "computed", "computed")
    before = [
        ComparedReply((1, 2, 3), (1,), (True, False, False), False, sorts),
        ComparedReply((1,), (1,), (True,), True),
    ]
    after = [
        ComparedReply((1, 2, 3), (1,), (True, True, False), False, sorts),
        ComparedReply((1,), (1,), (False,), True),
    ]
    assert by_part(before, after) == {
        "wording": {"n": 1, "before": 1.0, "after": 1.0}, "computed": {"n": 2, "before": 0.0, "after": 0.5},
    }  # fmt: skip
    assert by_part([], after) == by_part([], []) == {}


def test_common_prefix_stops_at_the_shorter_reply() -> None:
    assert common((1, 2, 3), (1, 2)) == 2
    assert common((), (1,)) == 0


def document(epoch: int, created: float, stable: str = "v2", share: float = 0.0, wanted: str = "v1") -> RoutingDocument:
    slots = {"student-b": SlotView(desired=wanted)}
    return RoutingDocument(epoch=epoch, created=created, stable=stable, candidate_share=share, slots=slots)


def test_only_epochs_that_move_the_student_count_as_swaps() -> None:
    documents = [
        document(1, 10), document(2, 20), document(3, 30, wanted="v3"), document(4, 40, share=0.25, wanted="v3"),
        document(5, 50, stable="v3", wanted="v3"), document(6, 60, stable="v3", wanted="v3"),
    ]  # fmt: skip
    assert [start for start, _ in windows(reversed(documents), since=35)] == [39.5, 49.5]


def second_by_second(gap_of: dict[int, float], seconds: int) -> list[dict]:
    """One request in each second, with a gap of 0.1 s where `gap_of` names no other."""
    return [{"t": t, "end": t + 0.9, "gap": gap_of.get(t, 0.1)} for t in range(seconds)]


def test_a_pause_shows_although_the_whole_run_had_longer_gaps_elsewhere() -> None:
    busy = {4: 0.5, 31: 0.6, 77: 0.7}
    swap = [(50.0, 53.0), (52.0, 56.0)]
    assert covered(swap) == 6.0
    found = gaps(second_by_second({**busy, 52: 0.45}, 120), swap)
    assert found == {
        "longest_gap": 0.45, "longest_gap_without": 0.1, "pause": pytest.approx(0.35), "requests_within": 7,
    }  # fmt: skip
    assert gaps(second_by_second(busy, 120), swap)["pause"] == 0.0


def test_gaps_that_are_common_everywhere_are_no_pause() -> None:
    common_gaps = dict.fromkeys(range(0, 120, 4), 0.5)
    found = gaps(second_by_second(common_gaps, 120), [(50.0, 56.0)])
    assert (found["longest_gap"], found["longest_gap_without"], found["pause"]) == (0.5, 0.5, 0.0)


def test_a_request_that_met_the_swap_counts_nowhere_else() -> None:
    rows = [*second_by_second({}, 60), {"t": 20.0, "end": 31.0, "gap": 9.0}]
    found = gaps(rows, [(30.0, 33.0)])
    assert (found["longest_gap"], found["longest_gap_without"]) == (9.0, 0.1)
    assert not any(start <= 33.0 and end >= 30.0 for start, end in ordinary(rows, [(30.0, 33.0)]))


def test_without_rows_or_without_a_swap_there_is_no_pause() -> None:
    for rows, spans in (([], [(1.0, 2.0)]), (second_by_second({}, 9), []), (second_by_second({}, 2), [(9.0, 99.0)])):
        assert gaps(rows, spans)["pause"] == gaps(rows, spans)["requests_within"] == 0


def token(text: str, logprob: float = -0.1, **others: float) -> dict:
    top = [{"bytes": list(text.encode()), "logprob": logprob}]
    top += [{"bytes": list(name.encode()), "logprob": value} for name, value in others.items()]
    return {"bytes": list(text.encode()), "logprob": logprob, "top_logprobs": top}


def test_a_reply_of_one_version_is_recognised_also_with_a_near_tie() -> None:
    again = [token("您的"), token("订单"), token("明天", -0.70, 后天=-0.705)]
    assert from_one_version("您的订单明天", again)
    assert from_one_version("您的订单后天到", again)


def test_a_reply_that_goes_on_as_another_version_is_mixed() -> None:
    again = [token("您的"), token("订单"), token("明天", -0.2, 后天=-1.8)]
    assert not from_one_version("您的订单后天", again)
    assert not from_one_version("您的订单明天到", again)
    assert not from_one_version("别的", again)
