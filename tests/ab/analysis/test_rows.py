"""Rows of an experiment: what is read, what is refused, and units that change their arm."""

from __future__ import annotations

import json

import pytest

from ab.analysis.rows import by_unit, parse
from ab.sequential.effects import UnitFigure


def line(**values: object) -> str:
    return json.dumps({"unit": "u", "arm": "teacher", **values})


def test_numbers_and_pairs_are_read_and_what_is_not_asked_for_is_not() -> None:
    row = parse(line(t=3, click=1, rating=[9, 2], other="text", 点击=True), ("click", "rating", "点击", "absent"))
    assert row.values == {"click": (1.0, 1.0), "rating": (9.0, 2.0), "点击": (1.0, 1.0)}
    assert (row.unit, row.arm, row.t) == ("u", "teacher", 3.0)


def test_values_that_are_not_finite_count_for_nothing_and_are_counted() -> None:
    row = parse('{"unit": 7, "arm": "a", "x": NaN, "y": [1, Infinity], "z": [1, -2], "w": null}', ("x", "y", "z", "w"))
    assert (row.unit, dict(row.values), row.not_finite) == ("7", {}, 3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1]", "JSON object"),
        ("{", "Expecting"),
        ('{"arm": "a"}', '"unit" is None'),
        ('{"unit": "u", "arm": ""}', '"arm" is'),
        (line(t="now"), '"t" is'),
        (line(x="1"), '"x" is'),
        (line(x=[1]), '"x" is'),
    ],
)
def test_what_is_no_row_is_refused_by_name(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("[", r"\[")):
        parse(text, ("x",))


def test_a_unit_that_changes_its_arm_is_analysed_up_to_the_change() -> None:
    rows = [parse(line(arm=arm, t=t, x=x), ("x",)) for arm, t, x in (("b", 3, 8), ("a", 1, 1), ("a", 2, 0))]
    (unit,) = by_unit(rows)
    assert (unit.arm, unit.switched, unit.values["x"]) == ("a", True, UnitFigure(1.0, 2.0, binary=True))
