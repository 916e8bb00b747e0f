"""Labelled pairs of texts, from the data sets that are shared."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

from tests.shared_data import data_file


def rows(name: str, step: int) -> Iterator[dict[str, Any]]:
    file = data_file(f"checks/{name}")
    with gzip.open(file, "rt", encoding="utf-8") if name.endswith(".gz") else file.open(encoding="utf-8") as lines:
        for index, line in enumerate(lines):
            if index % step == 0:
                yield json.loads(line)


def auc(positive: list[float], negative: list[float]) -> float:
    """Chance that a positive scores above a negative, ties half."""
    ranked = sorted([(s, 1) for s in positive] + [(s, 0) for s in negative])
    total, index = 0.0, 0
    while index < len(ranked):
        end = index
        while end < len(ranked) and ranked[end][0] == ranked[index][0]:
            end += 1
        total += sum(label for _, label in ranked[index:end]) * (index + end + 1) / 2
        index = end
    return (total - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative))
