"""Drills: question and answer of one skill without any talk. Values of the evaluation never occur."""

import random
from collections.abc import Callable

from demo import world
from demo.world import values

Drill = Callable[[random.Random], tuple[str, str]]


def total(rng: random.Random) -> tuple[str, str]:
    """A sum of two amounts."""
    a, b = values.amounts(rng, "train", (49, 49))
    return f"{a} + {b} =", f" {a + b}"


def difference(rng: random.Random) -> tuple[str, str]:
    """The difference of two amounts."""
    a, b = values.amounts(rng, "train", (99, 49))
    return (f"{a} - {b} =", f" {a - b}") if a >= b else total(rng)


def later(rng: random.Random) -> tuple[str, str]:
    """A date and the date some days later, in the same month."""
    lang, days = rng.choice(world.LANGUAGES), rng.choice((*range(2, 10), 14))
    month, day = values.day_of_year(rng, "train", 14 if days == 14 else 19)
    return f"{values.date(lang, month, day)} + {days} =", f" {values.date(lang, month, day + days)}"


def weekday(rng: random.Random) -> tuple[str, str]:
    """A weekday and the weekday some days later."""
    lang, today, days = rng.choice(world.LANGUAGES), rng.randrange(7), rng.randint(2, 6)
    return f"{values.weekday(lang, today)} + {days} =", f" {values.weekday(lang, today + days)}"


def repeat(rng: random.Random) -> tuple[str, str]:
    """Three names or products and the same three in another order: each has to stay whole."""
    lang, make = rng.choice(world.LANGUAGES), rng.choice((values.product, values.person))
    found = [make(rng, "train", lang) for _ in range(3)]
    return f"{', '.join(found)} =", " " + ", ".join(rng.sample(found, 3))


DRILLS: tuple[Drill, ...] = (total, difference, later, weekday, repeat)
DRILL_WEIGHTS = (1.0, 2.0, 1.0, 1.0, 3.0)
