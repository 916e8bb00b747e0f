"""Each row of the table finds the shape that it is for."""

from __future__ import annotations

import pytest

from feedback.privacy.detect.shapes import SHAPES, Window


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("4111 1111 1111 1111", "CARD"),
        ("3782 822463 10005", "CARD"),
        ("+44 7911 123456", None),
        ("138 1234 5678", "PHONE"),
        ("86 138 1234 5678", "PHONE"),
        ("0571 87654321", "PHONE"),
        ("07911 123456", "PHONE"),
        ("98765 43210", "PHONE"),
        ("1.2.3.4", "IP"),
        ("123-45-6789", "SSN"),
        ("666-45-6789", None),
        ("978-3-16-148410-0", None),
        ("12 345 678 901", None),
    ],
)
def test_groups_of_digits_are_known_by_their_lengths(written: str, kind: str | None) -> None:
    parts: list[str] = []
    gaps: list[str] = []
    run = ""
    for character in written.lstrip("+"):
        if character.isdigit():
            run += character
        else:
            parts, gaps, run = [*parts, run], [*gaps, character], ""
    parts.append(run)
    window = Window("".join(parts), tuple(map(len, parts)), tuple(gaps))
    found = [name for name, test in SHAPES.get(window.lengths, ()) if test(window)]
    assert found[:1] == ([kind] if kind else [])
