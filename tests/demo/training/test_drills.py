"""Drills are right, and hold no value of the evaluation."""

import random
import re

from demo.training.drills import DRILLS, difference, repeat, total
from demo.world import values


def test_sums_and_differences_are_right_and_not_those_held_out() -> None:
    for seed in range(300):
        for drill in (total, difference):
            question, answer = drill(random.Random(seed))
            a, sign, b = re.match(r"(\d+) ([+-]) (\d+) =", question).groups()
            assert int(answer) == (int(a) + int(b) if sign == "+" else int(a) - int(b)) >= 0
            assert not values.held_out(f"{a}+{b}")


def test_what_is_repeated_is_the_same_in_another_order() -> None:
    for seed in range(50):
        question, answer = repeat(random.Random(seed))
        assert sorted(question.removesuffix(" =").split(", ")) == sorted(answer.strip().split(", "))


def test_a_drill_is_a_function_of_its_generator() -> None:
    for drill in DRILLS:
        assert drill(random.Random(7)) == drill(random.Random(7))
