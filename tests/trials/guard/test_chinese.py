"""The committed Chinese set: large enough, half of its templates for judging alone, thirty wrappers."""

from __future__ import annotations

from collections import Counter

from trials.guard.chinese import chinese_attacks, chinese_benign, wrapped, wrappers


def test_there_are_four_hundred_attacks_and_half_of_the_templates_only_judge() -> None:
    learned, judged = chinese_attacks("train"), chinese_attacks("judge")
    assert len(learned) >= 400
    assert len(judged) >= 400
    templates = [{row.meta["template"] for row in rows} for rows in (learned, judged)]
    assert len(templates[0]) == len(templates[1])
    assert not templates[0] & templates[1]
    assert not {row.text for row in learned} & {row.text for row in judged}


def test_every_template_has_wordings_that_differ_and_no_gap_is_left() -> None:
    for part in ("train", "judge"):
        rows = chinese_attacks(part)
        assert {*Counter(row.meta["template"] for row in rows).values()} == {8}
        assert len({row.text for row in rows}) == len(rows)
        assert not [row.text for row in rows if "{" in row.text]


def test_it_is_the_same_set_every_time() -> None:
    assert chinese_attacks("train") == chinese_attacks("train")


def test_harmless_turns_are_apart_as_well() -> None:
    learned, judged = ({row.text for row in chinese_benign(part)} for part in ("train", "judge"))
    assert len(judged) >= 30
    assert not learned & judged


def test_thirty_wrappers_judge_and_no_other_is_learned_with_them() -> None:
    assert len(set(wrappers("judge"))) == 30
    assert not set(wrappers("judge")) & set(wrappers("train"))
    for wrapper in (*wrappers("judge"), *wrappers("train")):
        assert wrapper.count("{}") == 1
        assert "x{y}z" in wrapped("x{y}z", wrapper)
