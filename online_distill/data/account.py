"""What was drawn and why, for the round's summary and for its folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from online_distill.data.clusters import is_reserved
from online_distill.data.rows import Row
from online_distill.data.selecting import lineage_digest

SHOWN = 12
"""Clusters in a summary, those with most rows."""
NAMED = 50
"""Rows left out for a reason that a summary names, at most."""


def by_cluster(train: Sequence[Row], holdout: Sequence[Row]) -> list[dict[str, Any]]:
    """For each cluster its id, whether it is reserved, and its rows by part and reason; the largest first."""
    counts: dict[str, Counter[str]] = {}
    for part, rows in (("train", train), ("holdout", holdout)):
        for row in rows:
            counts.setdefault(row.cluster, Counter())[f"{part}_{row.role}_{row.why}"] += 1
    table = [{"cluster": cluster, "reserved": is_reserved(cluster), **n} for cluster, n in counts.items()]
    return sorted(table, key=lambda entry: (-counts[entry["cluster"]].total(), entry["cluster"]))


def account(train: Sequence[Row], holdout: Sequence[Row], table: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The counts of a summary: by role, language, kind and reason, and the largest clusters."""
    counts = Counter(f"train_{row.role}" for row in train)
    counts.update(f"holdout_{row.role}" for row in holdout)
    texts = [row.at for row in train if row.student_text]
    return {
        **counts,
        "train_known": sum(row.known for row in train),
        "languages": dict(Counter(row.lang for row in train)),
        "kinds": dict(Counter(row.kind for row in train if row.role == "hard")),
        "drawn": {
            "train": dict(Counter(f"{row.role}_{row.why}" for row in train)),
            "holdout": dict(Counter(f"{row.role}_{row.why}" for row in holdout)),
        },
        "clusters": len(table),
        "clusters_reserved": sum(bool(entry["reserved"]) for entry in table),
        "largest_clusters": list(table[:SHOWN]),
        "as_logged": sum(row.teacher_tokens is not None for row in train),
        "student_texts": len(texts),
        "student_texts_from": min(texts, default=None),
        "samples": lineage_digest(train),
    }


def left_out(rows: Mapping[str, Sequence[str]], counts: Mapping[str, int]) -> dict[str, Any]:
    """What of a summary says which rows were not drawn, and why.

    `rows`: by reason the ids of those left out, of which up to NAMED are named, with the number of the rest. `counts`:
    by reason how many were not wanted, since there are enough others: those are not named.
    """
    named = {why: {"ids": list(ids[:NAMED]), "more": max(0, len(ids) - NAMED)} for why, ids in rows.items() if ids}
    return {"left_out": {**counts, **{why: len(ids) for why, ids in rows.items()}}, "left_out_rows": named}
