"""Marks of replies: shares over tokens, and an interval that knows that replies of one dialogue hang together."""

from __future__ import annotations

import random

import pytest

from bench.real.exam import marks, ratio


def test_agreement_is_of_all_tokens_and_exact_of_replies() -> None:
    found = marks(["a", "b", "c"], [[True] * 8, [False, True], [True, True]])
    assert found["agreement"] == round(11 / 12, 4)
    assert found["exact"] == round(2 / 3, 4)
    assert (found["n"], found["tokens"]) == (3, 12)
    assert 0 <= found["low"] <= found["agreement"] <= found["high"] <= 1


def test_one_dialogue_alone_says_nothing_of_others() -> None:
    assert ratio(["a", "a"], [1, 2], [2, 4]) == (0.5, 1.0)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """400 draws of 60 dialogues with 3 replies each, seed 5: 95 % less three standard errors and a little."""
    chance, held = random.Random(5), 0
    for _ in range(400):
        groups, part, whole = [], [], []
        for group in range(60):
            share = chance.betavariate(4, 4)
            for _ in range(3):
                tokens = chance.randint(5, 64)
                groups.append(str(group))
                whole.append(tokens)
                part.append(sum(chance.random() < share for _ in range(tokens)))
        found, half = ratio(groups, part, whole)
        held += abs(found - 0.5) <= half
    assert held / 400 == pytest.approx(0.94, abs=0.035)
    alone, narrow = ratio([str(n) for n in range(len(groups))], part, whole)
    assert alone == found
    assert narrow < half, "replies of one dialogue were taken for independent ones"
