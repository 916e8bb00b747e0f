"""Which share of what was trained a candidate gets: by rows that nothing else is done with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from online_distill import models
from online_distill.data.encoding import Encoded, Encoder
from online_distill.data.rows import Row
from online_distill.evaluate.agreement import agreement
from online_distill.evaluate.blending import (
    BlendFigures,
    DevelopmentText,
    choose_blend,
    compare_blends,
    development_texts,
    keeps,
    told,
)
from online_distill.progress import silent
from tests.online_distill.world import make_samples

CPU = torch.device("cpu")


def figures(blend: float, general: str, new: str, tokens: float = 0.5) -> BlendFigures:
    return BlendFigures(blend, [one == "1" for one in general], [one == "1" for one in new], tokens)


SOME = "1" * 40
CASES = [
    ("the one that learned most", [(0.5, SOME, "11000"), (0.8, SOME, "11110"), (1.0, SOME, "11100")], 0.8),
    ("of equals the smaller", [(0.5, SOME, "11000"), (0.8, SOME, "11110"), (1.0, SOME, "01111")], 0.8),
    ("one lost reply is noise", [(0.5, SOME, "11000"), (1.0, "0" + SOME[1:], "11111")], 1.0),
    ("two are not", [(0.5, SOME, "11000"), (1.0, "00" + SOME[2:], "11111")], 0.5),
    ("beside what the smallest lost", [(0.5, "00" + SOME[2:], "11000"), (1.0, "00" + SOME[2:], "11111")], 1.0),
    ("what is won stands against it", [(0.5, "11000" + SOME, "10000"), (1.0, "00110" + SOME, "11111")], 1.0),
    ("no new rows", [(0.5, SOME, ""), (1.0, SOME, "")], 0.7),
    ("few general rows", [(0.5, "1" * 9, "11000"), (1.0, "1" * 9, "11111")], 0.7),
]


@pytest.mark.parametrize(("shares", "taken"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_share_that_keeps_and_learned_most_is_taken(shares: list[tuple[float, str, str]], taken: float) -> None:
    assert choose_blend([figures(*one) for one in shares], 0.7)[0] == taken


def test_where_no_reply_to_a_new_prompt_is_exact_tokens_say_what_learned_most() -> None:
    found = [figures(0.5, SOME, "00000", 0.2), figures(0.8, SOME, "00000", 0.7), figures(1.0, SOME, "00000", 0.6)]
    assert choose_blend(found, 0.3)[0] == 0.8


def test_it_says_why() -> None:
    found = [figures(0.5, SOME, "11000"), figures(0.9, "000" + SOME[3:], "11111"), figures(1.0, "0" * 40, "11111")]
    taken, why = choose_blend(found, 0.7)
    assert (taken, why) == (
        0.5, "most exact replies to new prompts, 2 of 5, of those that keep; not kept by 0.9, 1",
    )  # fmt: skip
    assert (
        choose_blend([figures(0.5, "1" * 9, "11000")], 0.7)[1]
        == "9 general development rows, fewer than 10: the fixed one"
    )
    assert told(found)[1] == {
        "blend": 0.9, "general": 37, "new": 5, "tokens": 0.5, "lost": 3, "won": 0, "keeps": False,
    }  # fmt: skip


@given(st.lists(st.tuples(st.text("01", min_size=12, max_size=12), st.text("01", min_size=6, max_size=6)), min_size=1))
def test_what_is_taken_keeps_and_nothing_that_keeps_learned_more(given_rows: list[tuple[str, str]]) -> None:
    found = [figures(0.01 * (n + 1), general, new) for n, (general, new) in enumerate(given_rows)]
    taken = next(one for one in found if one.blend == choose_blend(found, 2.0)[0])
    assert keeps(found[0], taken)
    assert all(sum(one.new) <= sum(taken.new) for one in found if keeps(found[0], one))


def rows_of(n: int) -> list[Row]:
    hard = [Row.of(sample, "hard", parent="v1", why="fresh") for sample in make_samples(n)]
    return [*hard, *(Row.of(sample, "anchor", parent="v1") for sample in make_samples(n, start=500))]


def said_by(folder: Path, texts: list[DevelopmentText]) -> list[DevelopmentText]:
    """The texts, those of new prompts with the folder's own greedy tokens for a reply."""
    model = models.load(folder)

    def reply(text: Encoded) -> Encoded:
        tokens = text.tokens[: text.start]
        for _ in range(6):
            tokens = [*tokens, int(models.reply_logits(model, [[*tokens, 0]], [len(tokens)])[0][0].argmax())]
        return Encoded(tokens, text.start)

    return [(new, reply(text) if new else text) for new, text in texts]


def test_shares_are_asked_as_they_would_be_stored(student: Path, teacher_folder: Path, tmp_path: Path) -> None:
    texts = said_by(teacher_folder, development_texts(rows_of(6), Encoder(student), 512))
    trained = dict(models.load(teacher_folder).state_dict())
    first, half, last = compare_blends(
        student, trained, (1e-9, 0.5, 1.0), texts, device=CPU, seconds=60, clock=lambda: 0.0, progress=silent
    )
    assert all(last.new)
    assert last.tokens == 1.0
    assert not any(first.new)
    assert (len(last.general), len(last.new)) == (6, 6)
    model = models.load(student)
    models.blend(model, trained, 0.5)
    models.export(model, student, tmp_path / "half")
    stored = agreement(models.load(tmp_path / "half"), [text for new, text in texts if new])
    assert half.tokens == pytest.approx(sum(stored) / 6)


def test_all_shares_are_asked_as_many_rows_as_there_is_time_for_with_the_first(student: Path) -> None:
    texts = development_texts(rows_of(20), Encoder(student), 512)
    assert len(texts) == 40
    reported: list[str] = []

    def one_look_a_second() -> Iterator[float]:
        yield from range(100)

    trained = dict(models.load(student).state_dict())
    clock = one_look_a_second()
    found = compare_blends(
        student, trained, (0.5, 1.0), texts, device=CPU, seconds=2.0, clock=lambda: next(clock),
        progress=lambda done, total, note: reported.append(note),
    )  # fmt: skip
    assert [len(one.general) + len(one.new) for one in found] == [32, 32]
    assert reported == ["blend 0.5", "blend 1"]


def test_texts_come_in_an_order_that_is_no_ones_choice_and_a_row_that_does_not_fit_is_left_out(student: Path) -> None:
    rows = rows_of(8)
    encoder = Encoder(student)
    texts = development_texts(rows, encoder, 512)
    assert texts == development_texts(rows[::-1], encoder, 512)
    assert any(new for new, _ in texts[:8])
    assert not all(new for new, _ in texts[:8])
    assert development_texts(rows, encoder, 8) == []
