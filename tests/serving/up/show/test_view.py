"""The picture: whatever is in it, it fits the terminal and names the stage."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from deploy.life.slices import slice_changes
from deploy.rounds.table import STAGES
from deploy.routing.document import SLOTS
from feedback.events import HARD_KINDS
from serving.up.show.changes import changes
from serving.up.show.figures import Figures, Slot, Stage, line
from serving.up.show.view import BAR, render
from tests.deploy.life.judged import evaluation, rows

words = st.sampled_from(
    ["[bold] v3", "第一轮", "the worker ended and is started again because of a long and winding reason"]
)


names = st.sampled_from(["teacher", "student-a", "worker", "a-role-with-a-rather-long-name-of-its-own", "[/]"])


slots = st.builds(
    Slot, st.sampled_from(SLOTS), st.sampled_from(["v2", "v12345"]), words, st.booleans(), st.integers(0, 999), words
)


part = st.floats(0, 9)


notes = st.just("loss 0.1 [/]") | words
left = st.none() | st.floats(0, 1e5)
stages = st.builds(Stage, st.integers(1, 99), st.sampled_from(STAGES), part, part, notes, left)


JUDGED = slice_changes(evaluation(*rows(400, lost=8, won=2)))
figures = st.builds(
    Figures,
    unfit=st.sampled_from(["", "v12345"]), way=st.lists(st.floats(0, 1), max_size=9).map(tuple),
    seconds=st.floats(0, 1e6), sent=st.integers(0, 10**9), failed=st.integers(0, 10**9), pool=st.integers(0, 10**6),
    similarity=st.dictionaries(st.sampled_from(["drift", "general"]), st.floats(0, 1)),
    facts=st.dictionaries(st.sampled_from(["drift", "general"]), st.floats(0, 1)),
    arms=st.just({"teacher": 0.3, "student": 0.7}),
    hard=st.dictionaries(st.sampled_from(HARD_KINDS), st.integers(0, 10**6)),
    stage=st.none() | stages,
    candidate=st.sampled_from(["", "v3"]), previous=st.just(("v1", "v2", "v3")),
    slots=st.tuples(slots, slots, slots), down=st.lists(names, unique=True).map(tuple),
    frozen=st.lists(st.sampled_from(["promotion", "learning", "student"]), unique=True).map(tuple),
    gate_short=st.sampled_from(["", "gate refused: general exact 98→97 facts 100→100; new exact 2→81 facts 3→80 %"]),
    few=st.sampled_from(["", "judged on few: a loss below 5.5 points would not be seen"]),
    drawn_short=st.sampled_from(["", "drawn 900 replay 250 fresh 200 old 100 learned; held out 400 general 100 new"]),
    notes=st.dictionaries(names, words),
    slices=st.sampled_from([{}, JUDGED]), caveats=st.lists(words, max_size=2).map(tuple),
    fell_short=st.sampled_from(["", "rollback: similarity 0.46 -> 0.16"]),
    behind=st.dictionaries(names, st.integers(0, 9)), events=st.lists(words).map(tuple),
)  # fmt: skip


def shown(now: Figures) -> list[str]:
    """The lines of the picture on a terminal of 80 columns."""
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(render(now, "gateway http://127.0.0.1:8000/v1   control http://127.0.0.1:8001   state /a/b/.state"))
    return console.export_text().splitlines()


@given(figures)
def test_any_picture_fits_24_lines_and_names_the_stage(now: Figures) -> None:
    lines = shown(now)
    assert len(lines) <= 24
    assert any("traffic" in text for text in lines)
    assert now.stage is None or any(f" {now.stage.name} " in text for text in lines)
    assert f"sent {now.sent} " in line(now)


def test_what_the_gate_saw_stays_in_the_picture_with_what_it_could_not_see() -> None:
    """Beside the rolling mean of similarity, which lags behind a swap."""
    short, few = (
        "gate passed: general exact 98→97 facts 99→98; new exact 2→81 facts 3→80 %",
        "judged on few: a loss ...",
    )
    for stage in (None, Stage(3, "canary", 1, 2)):
        text = "\n".join(shown(Figures(stage=stage, gate_short=short, few=few, similarity={"drift": 0.46})))
        assert short in text
        assert few in text


def test_what_was_drawn_and_each_slice_with_its_interval_stand_in_the_picture_uncut() -> None:
    short = "drawn 900 replay 250 fresh 200 old 100 learned; held out 400 general 100 new"
    for stage, title in ((None, "last round, gate refused"), (Stage(3, "canary", 1, 2), "round 3, gate refused")):
        lines = shown(Figures(stage=stage, drawn_short=short, slices=JUDGED, gate="gate refused: general ..."))
        assert any(f" {title} " in text for text in lines)
        assert any(f"│ {short} │" in text for text in lines)
        table = next(at for at, text in enumerate(lines) if text.split()[1:4] == ["exact", "%", "facts"])
        row = next(text for text in lines[table:] if text.startswith("│ general 400"))
        assert row.split()[3:9] == ["100→98", "[-3,+0]", "-8+2", "100→98", "[-3,+0]", "-8+2"]
        assert row.split()[9].startswith("100→100")
        assert "…" not in "".join(lines[table : table + 3])


def test_what_is_to_be_said_of_the_live_version_is_in_the_picture_on_the_line_and_once_an_event() -> None:
    by_hand, few = "promoted by hand, refused by the gate: 9 exact replies lost", "judged on few: 120 rows"
    now = Figures(stable="v3", caveats=(by_hand, few))
    assert any(text.startswith(f"v3: {by_hand}; judged") for text in shown(now))
    assert "live v3 (promoted by hand, refused by the gate: 9 exact r…; judged on few: 120 rows)" in line(now)
    assert list(changes(Figures(), now)) == [f"v3: {few}", f"v3: {by_hand}"]
    assert list(changes(Figures(stable="v3", caveats=(few,)), now)) == [f"v3: {by_hand}"]
    assert list(changes(now, now)) == []
    assert f"v4: {few}" in changes(now, Figures(stable="v4", caveats=(few,)))
    assert "()" not in line(Figures(stable="v3"))


def test_a_role_that_is_down_and_the_latest_event_are_seen_in_the_fullest_picture() -> None:
    now = Figures(
        stage=Stage(3, "canary", 1, 2), slices=JUDGED, drawn_short="drawn 9 fresh", gate="gate passed: ...",
        unfit="v2", way=(0.1,), candidate="v4", frozen=("learning",), behind={"g": 1},
        slots=tuple(Slot(name) for name in SLOTS), down=("worker", "trainer"), events=("former", "latest"),
    )  # fmt: skip
    lines = shown(now)
    assert len(lines) <= 24
    assert any("worker is down" in text for text in lines)
    assert any("latest" in text for text in lines)


def test_the_round_says_when_it_ends() -> None:
    now = Figures(stage=Stage(3, "distil", 30, 120, "loss 0.2", 88.0))
    assert any("distil 25% ends in about 90 s loss 0.2" in text for text in shown(now))
    assert "round 3 distil 30/120, ends in about 90 s" in line(now)


def test_the_bar_grows_with_the_stage_and_the_latest_event_is_seen() -> None:
    events = tuple(f"event {number}" for number in range(9))
    pictures = [shown(Figures(stage=Stage(3, "distil", done, 120, "loss 0.2"), events=events)) for done in (0, 30, 120)]
    bars = [next(text for text in lines if "loss 0.2" in text) for lines in pictures]
    assert [bar.count("━") for bar in bars] == [0, BAR // 4, BAR]
    assert ["distil 0%" in bars[0], "distil 25%" in bars[1], "distil 100%" in bars[2]] == [True] * 3
    assert any("event 8" in text for text in pictures[0])


def test_the_way_of_an_unfit_student_is_a_bar_towards_what_is_asked() -> None:
    out = io.StringIO()
    now = Figures(unfit="v3", fitness="31% of tokens, 8% facts, round 2", way=(0.12, 0.31), wanted=0.85)
    Console(file=out, width=100).print(render(now, ""))
    assert "12% 31% of 85%" in out.getvalue()
    assert "v3 31% of tokens, 8% facts" in out.getvalue()
