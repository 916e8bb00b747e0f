"""What is looked at of long texts."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from serving.guard.windows import MOST, OVERLAP, SLICE, fitted, slices, spread


@given(st.lists(st.integers(0, 3 * MOST), max_size=30), st.integers(64, MOST))
def test_no_more_is_looked_at_than_the_limit_and_short_texts_whole(lengths: list[int], most: int) -> None:
    texts = ["x" * length for length in lengths]
    parts, partial = fitted(texts, most)
    seen = [sum(map(len, mine)) for mine in parts]
    assert len(parts) == len(texts)
    assert sum(seen) <= most
    assert partial == (sum(lengths) > most)
    for length, looked_at in zip(lengths, seen, strict=True):
        assert looked_at <= length
        if length * len(lengths) <= most:
            assert looked_at == length


def test_head_tail_and_windows_between_are_looked_at() -> None:
    text = "".join(map(chr, range(1000, 1000 + 500_000)))
    parts = spread(text, MOST)
    assert sum(map(len, parts)) <= MOST
    assert parts[0] == text[: len(parts[0])]
    assert parts[-1] == text[-len(parts[-1]) :]
    starts = [text.index(part) for part in parts]
    gaps = {later - earlier for earlier, later in pairwise(starts)}
    assert max(gaps) - min(gaps) <= 1


@given(st.integers(0, 60_000))
def test_slices_cover_a_text_and_overlap(length: int) -> None:
    text = "".join(map(chr, range(100, 100 + length % 700))) * (length // 700 + 1)
    found = list(slices(text))
    assert all(len(one) <= SLICE for one in found)
    assert found[0] + "".join(one[OVERLAP:] for one in found[1:]) == text
