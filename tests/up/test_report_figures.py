"""Figures of the report by their definitions."""

from __future__ import annotations

import pytest

from demo.report_figures import Pair, agreement, common, facts, from_one_version, gaps, prefix, windows
from deploy.routing import RoutingDocument, SlotView


def test_agreement_and_prefix_count_tokens_over_all_prompts() -> None:
    pairs = [
        Pair((1, 2, 3, 4), (1, 2, 9, 4), (True, True, False, True), True),
        Pair((5, 6), (7, 6), (False, True), False),
    ]
    assert agreement(pairs) == pytest.approx(4 / 6)
    assert prefix(pairs) == pytest.approx(2 / 6)
    assert facts(pairs) == 0.5
    assert (agreement([]), prefix([]), facts([])) == (0.0, 0.0, 0.0)


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


def test_gaps_are_split_by_whether_the_request_met_a_swap() -> None:
    rows = [{"t": 0, "end": 5, "gap": 1.0}, {"t": 9, "end": 11, "gap": 0.4}, {"t": 20, "end": 21, "gap": 0.7}]
    assert gaps(rows, [(10, 13)]) == {"longest_gap": 0.4, "longest_gap_without": 1.0, "requests_within": 1}


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
