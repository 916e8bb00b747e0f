"""The cascade: what it catches and where, what it remembers, and that it stops between slices and at its deadline."""

from __future__ import annotations

import base64
import random

import pytest

from serving.guard.cascade import LATE, SYSTEM, TOOL, Guard, GuardedText, Thresholds, settled
from serving.guard.counts import STAGES
from serving.guard.verdict import GuardVerdict
from serving.guard.windows import MOST, MOST_TEXTS, SLICE
from tests.serving.guard.words import ATTACK, DOUBTFUL, HARMLESS, WordModel

ALLOW, FLAG, DEGRADE = GuardVerdict
PROSE = " ".join(
    random.Random(3).choices(
        ["the", "of", "parcel", "order", "refund", "when", "where", "how", "please", "thanks", "day", "we", "you"],
        k=9000,
    )
)


@pytest.fixture
def model() -> WordModel:
    return WordModel()


@pytest.fixture
def guard(model: WordModel) -> Guard:
    return Guard(model, Thresholds(model.flag, model.degrade))


@pytest.mark.parametrize(("text", "verdict"), [(ATTACK, DEGRADE), (DOUBTFUL, FLAG), (HARMLESS, ALLOW)])
def test_a_score_is_held_to_two_thresholds(guard: Guard, text: str, verdict: GuardVerdict) -> None:
    judged = guard.judge([GuardedText(text)])
    assert judged.verdict is verdict
    assert judged.stage == ("" if verdict is ALLOW else "model")


def test_the_worst_of_all_texts_counts(guard: Guard) -> None:
    judged = guard.judge([GuardedText(HARMLESS), GuardedText(ATTACK), GuardedText(DOUBTFUL)])
    assert (judged.verdict, judged.score, judged.threshold) == (DEGRADE, 5.0, 2.0)


def test_an_application_s_own_text_is_never_degraded(guard: Guard) -> None:
    assert guard.judge([GuardedText(ATTACK, SYSTEM)]).verdict is FLAG
    assert guard.judge([GuardedText(DOUBTFUL, SYSTEM)]).verdict is ALLOW
    assert guard.judge([GuardedText(ATTACK)]).verdict is DEGRADE  # remembered apart


def test_what_a_tool_is_said_to_do_is_held_to_more(guard: Guard) -> None:
    assert guard.judge([GuardedText(ATTACK, TOOL)]).threshold == 2.0 + TOOL
    assert guard.judge([GuardedText(ATTACK, 2 * TOOL + 0.5)]).verdict is FLAG  # 5.0, below 2.0 + 3.5
    assert guard.judge([GuardedText(DOUBTFUL, TOOL)]).verdict is ALLOW


def test_codes_and_tags_are_scored_as_texts(guard: Guard) -> None:
    coded = base64.b64encode(ATTACK.encode()).decode()
    assert guard.judge([GuardedText(f"Decode {coded}")]).stage == "base64"
    tagged = "".join(chr(0xE0000 + ord(char)) for char in ATTACK)
    assert guard.judge([GuardedText(f"Hello{tagged}")]).stage == "tags"


def test_what_hides_words_weighs_a_little(guard: Guard) -> None:
    plain = guard.judge([GuardedText(HARMLESS)]).score
    assert guard.judge([GuardedText("\u200b".join(HARMLESS))]).score > plain


def test_repetition_is_flagged_and_prose_is_not(guard: Guard) -> None:
    assert guard.judge([GuardedText("poem " * 300)]).stage == "repetition"
    assert guard.judge([GuardedText("poem " * 3000)]).verdict is FLAG
    assert (
        guard.judge([GuardedText(PROSE[:1500])]).verdict is guard.judge([GuardedText(PROSE[:20000])]).verdict is ALLOW
    )


def test_an_attack_late_in_a_long_prompt_is_found(guard: Guard) -> None:
    long = PROSE[:20_000] + " " + ATTACK + " " + PROSE[20_000:31_000]
    judged = guard.judge([GuardedText(long)])
    assert (judged.verdict, judged.partial) == (DEGRADE, False)


@pytest.mark.parametrize("place", [0, SLICE - 30, SLICE - 1, 3 * SLICE - 600])
def test_an_attack_across_the_border_of_two_slices_is_found(guard: Guard, place: int) -> None:
    assert guard.judge([GuardedText(PROSE[:place] + " " + ATTACK + " " + PROSE[place:30_000])]).verdict is DEGRADE


def test_eight_million_characters_are_looked_at_in_part(guard: Guard, model: WordModel) -> None:
    judged = guard.judge([GuardedText("a" * 8_000_000)])
    assert judged.partial
    assert judged.verdict is FLAG
    assert sum(map(len, model.seen)) <= MOST
    assert guard.judge([GuardedText(PROSE * 200 + ATTACK)]).verdict is DEGRADE  # the tail is looked at
    assert guard.counts.partial == 2


def test_a_history_is_judged_once(guard: Guard, model: WordModel) -> None:
    history = [GuardedText(f"{HARMLESS} {turn}") for turn in range(20)]
    guard.judge(history)
    model.seen.clear()
    guard.judge([*history, GuardedText("And now?")])
    assert model.seen == ["and now?"]
    assert guard.counts.remembered == 20


def test_a_degraded_text_of_the_history_is_degraded_again_and_said_to_be_the_same(guard: Guard) -> None:
    first = guard.judge([GuardedText(ATTACK)])
    again = guard.judge([GuardedText(ATTACK), GuardedText("Why?")])
    other = guard.judge([GuardedText(ATTACK), GuardedText(ATTACK + " Now!")])
    assert [one.verdict for one in (first, again, other)] == [DEGRADE] * 3
    assert [one.again for one in (first, again, other)] == [False, True, False]


def test_other_thresholds_judge_anew(guard: Guard) -> None:
    assert guard.judge([GuardedText(DOUBTFUL)]).verdict is FLAG
    guard.use(Thresholds(0.5, 0.9))
    assert guard.judge([GuardedText(DOUBTFUL)]).verdict is DEGRADE


def test_it_stops_between_slices_and_when_it_has_worked_too_long(guard: Guard, model: WordModel) -> None:
    times = iter(range(100))
    work = guard.work([GuardedText(PROSE[:30_000])], 3.0, lambda: float(next(times)))
    assert [next(work) for _ in range(4)] == [1.0, 2.0, 3.0, 4.0]
    assert settled(work) == LATE
    assert len(model.seen) == 4
    assert max(map(len, model.seen)) <= SLICE
    assert guard.judge([GuardedText(PROSE[:30_000])]).verdict is ALLOW  # nothing half judged is remembered


def test_what_others_do_between_its_slices_does_not_count(guard: Guard) -> None:
    now = 0.0
    work = guard.work([GuardedText(PROSE[:30_000])], 3.0, lambda: now)
    for spent in work:
        now += 60.0
        assert spent == 0.0
    assert guard.judge([GuardedText(PROSE[:30_000])]).verdict is ALLOW


def test_what_is_looked_at_to_its_end_is_never_late_and_what_was_seen_counts(guard: Guard) -> None:
    times = iter(range(0, 6000, 60))
    late = lambda: float(next(times))  # noqa: E731
    assert settled(guard.work([GuardedText(HARMLESS)], 0.05, late)).verdict is ALLOW
    judged = settled(guard.work([GuardedText(ATTACK), GuardedText(DOUBTFUL)], 0.05, late))
    assert (judged.verdict, judged.stage, judged.again) == (DEGRADE, "model", False)
    assert settled(guard.work([GuardedText(ATTACK + PROSE[:30_000])], 0.05, late)).stage == "model"


def test_very_many_texts_count_as_few(guard: Guard, model: WordModel) -> None:
    texts = [GuardedText(f"{HARMLESS} {number}") for number in range(5 * MOST_TEXTS)]
    judged = guard.judge([*texts, GuardedText(ATTACK)])
    assert judged.verdict is DEGRADE
    assert len(model.seen) <= MOST_TEXTS + 2 * MOST // SLICE


def test_every_stage_is_counted_and_timed(guard: Guard) -> None:
    guard.judge([GuardedText(HARMLESS)])
    assert guard.counts.calls == [1] * len(STAGES)
    assert min(guard.counts.seconds) > 0
