"""Who is asked what: turns of dialogues within a length, nothing both learned and judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.real.prompts import RealPrompt, apart, drawn, instructions, of_dialogues
from online_distill.data.encoding import Encoder
from tests.onboard.models import tiny
from understudy.errors import UsageError


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(tiny(tmp_path_factory.mktemp("prompts") / "model"))


def one(name: str, text: str) -> RealPrompt:
    return RealPrompt(f"{name}/0", name, ({"role": "user", "content": text},))


def test_turns_are_taken_while_the_prompt_is_short_and_each_once(encoder: Encoder, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    turns = [{"role": "user", "content": "Hello"}, {"role": "user", "content": "x" * 500}]
    file.write_text("".join(json.dumps({"id": name, "messages": turns}) + "\n" for name in ("a", "b")))
    told: list[str] = []
    (found,) = of_dialogues(file, encoder, 60, told.append)
    assert (found.id, found.group) == ("a/0", "a")
    assert [words.startswith("2 of 4 turns of customers") for words in told] == [True]
    with pytest.raises(UsageError, match="within 3 tokens"):
        of_dialogues(file, encoder, 3, told.append)
    file.write_text("[]\n")
    with pytest.raises(UsageError, match="line 1"):
        of_dialogues(file, encoder, 60, told.append)


def test_neither_a_dialogue_nor_its_words_are_both_learned_and_judged() -> None:
    later = RealPrompt("a/1", "a", ({"role": "user", "content": "Hello"}, {"role": "user", "content": "When?"}))
    judged = [later, one("b", "Where?")]
    train = [one("a", "Hello"), one("c", "Where?"), one("d", "When?")]
    assert [kept.group for kept in apart(train, judged)] == ["d"]
    with pytest.raises(UsageError, match="give other dialogues"):
        apart(train[:2], judged)


def test_files_that_number_their_dialogues_alike_are_told_apart_by_words() -> None:
    assert [kept.group for kept in apart([one("1", "Hello"), one("2", "Hi")], [one("1", "Where?")])] == ["1", "2"]


def test_a_larger_draw_holds_the_smaller_one() -> None:
    many = [one(str(n), str(n)) for n in range(50)]
    few, more = drawn(many, 10, "judged"), drawn(many, 20, "judged")
    assert more[:10] == few
    assert few != drawn(many, 10, "traffic")


def test_instructions_are_those_of_its_language_and_none_where_there_are_no_data(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERSTUDY_DATA", str(tmp_path))
    assert instructions(encoder, 60) == []
    rows = [{"id": "1", "lang": "en", "prompt": "Add 2 and 3."}, {"id": "2", "lang": "zh", "prompt": "你好"}]
    (tmp_path / "instructions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [found.id for found in instructions(encoder, 60)] == ["1"]
