"""Generated messages say rightly where their values are."""

from __future__ import annotations

from trials.personal import MAKE, generated


def test_rows_are_the_same_for_a_seed_and_name_their_values() -> None:
    rows = list(generated(3, 400))
    assert rows == list(generated(3, 400))
    assert rows != list(generated(4, 400))
    kinds = {kind for kind, _ in MAKE.values()}
    for row in rows:
        assert "{" not in row.text
        for start, end, kind in row.values:
            assert kind in kinds
            assert row.text[start:end].strip() == row.text[start:end] != ""
    assert {bool(row.values) for row in rows} == {True, False}
