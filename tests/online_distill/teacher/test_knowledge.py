"""How much of a teacher can be learned from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from deploy.engines.findings import ProbeAnswer, TeacherFindings
from online_distill.data.encoding import Encoder
from online_distill.teacher.knowledge import of_findings, of_folders
from online_distill.teacher.words import TokenBytes


def test_one_tokenizer_gives_log_probabilities_and_two_give_text(student: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(student, tmp_path / "v9"))
    assert of_folders(student, other).level == "logprobs"
    (other / "tokenizer.json").write_text("{}")
    found = of_folders(student, other)
    assert (found.level, found.student) == ("text", "v9")
    assert "student and v9 differ in tokenizer.json" in found.said


def findings(student: Path, **more: Any) -> TeacherFindings:
    """Of an API whose model reads text as `student` does."""
    tokenizer, words = Encoder(student).tokenizer, TokenBytes(Encoder(student).tokenizer)
    texts = ("Order 4711 is on its way.", "您的订单明天送达。")
    answers = tuple(
        ProbeAnswer(prompt=f"{text} Why?", text=text, tokens=tuple(raw.hex() for raw in words.split(text) or ()))
        for text in texts
    )
    ids = tuple(tuple(tokenizer.encode(one.prompt, add_special_tokens=False)[1:]) for one in answers)
    given = {"asked": 1.0, "answers": answers, "ids": ids, **more}
    return TeacherFindings(url="http://h/v1", model="big", **given)


def test_an_api_is_learned_from_as_far_as_it_tells(student: Path) -> None:
    full = of_findings(findings(student, prefill=20, replies=20, since=4.0), student)
    assert (full.level, full.width, full.said, full.since) == ("logprobs", 20, "", 4.0)
    own = of_findings(findings(student, replies=5, prefill_why="400"), student)
    assert (own.level, own.width) == ("replies", 5)
    assert "own replies" in own.said
    plain = of_findings(findings(student, replies_why="without logprobs"), student)
    assert (plain.level, plain.width) == ("text", None)
    assert "tells no log-probabilities (without logprobs)" in plain.said
    assert len({full.identity, own.identity, plain.identity}) == 2


def test_an_api_of_other_tokens_is_learned_from_by_text(student: Path) -> None:
    right = findings(student, prefill=20, replies=20)
    ids = (tuple(token + 1 for token in right.ids[0]), *right.ids[1:])
    other = (b"Order 47", b"11 is on its way.")
    said = right.answers[0].model_copy(update={"tokens": tuple(raw.hex() for raw in other)})
    for found in (
        right.model_copy(update={"ids": ids}),
        right.model_copy(update={"prefill": 0, "answers": (said, right.answers[1])}),
        right.model_copy(update={"prefill": 0, "answers": ()}),
    ):
        told = of_findings(found, student)
        assert (told.level, "other tokens than student" in told.why) == ("text", True)


def test_a_reply_whose_tokens_are_halves_of_letters_says_nothing_of_the_vocabulary(student: Path) -> None:
    """vLLM tells no bytes of a token that ends within a letter, and the whole letter with the token that ends it."""
    right = findings(student, replies=20)
    halves = right.answers[1].model_copy(update={"text": "🜚.", "tokens": ("", "", "🜚".encode().hex(), b".".hex())})
    assert of_findings(right.model_copy(update={"answers": (right.answers[0], halves)}), student).level == "replies"
    assert of_findings(right.model_copy(update={"answers": (halves,)}), student).level == "text"
