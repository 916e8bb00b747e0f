"""The similarity of two texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.checks.semantic import similarity
from tests.feedback.checks.labelled import auc, rows


@given(st.text(max_size=120), st.text(max_size=120))
def test_similarity_is_symmetric_and_full_for_the_same(one: str, other: str) -> None:
    assert similarity(one, other) == pytest.approx(similarity(other, one))
    assert similarity(one, one) == pytest.approx(1.0)


def test_labelled_pairs_rank_above_chance() -> None:
    """On graded similarity; word-swap sets such as PAWS and HANS are beyond a check that counts words."""
    by_lang: dict[str, tuple[list[float], list[float]]] = {"en": ([], []), "zh": ([], [])}
    for row in rows("pairs.jsonl", 3):
        label = row["label"]
        if "STS" not in row["source"] and row["source"] != "SICK":
            continue
        if isinstance(label, float | int) and row["lang"] in by_lang and (label >= 0.8 or label <= 0.2):
            by_lang[row["lang"]][label <= 0.2].append(similarity(row["a"], row["b"]))
    for lang, (alike, unlike) in by_lang.items():
        value = auc(alike, unlike)
        print(f"semantic {lang}: AUC {value:.3f} on {len(alike)} alike, {len(unlike)} unlike")
        assert value > 0.8
