"""`understudy pool export`: what the hard pool holds, as rows of a file for whoever trains or studies elsewhere.

Read from Redis with the keys of the state directory, so it runs where these are; texts are redacted as they were
captured. Who opted out is not in the pool, and what a purge removed cannot be opened.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from deploy.audit.log_file import FileAuditLog
from deploy.registry.store import Registry
from feedback.events import HardSample
from feedback.pool.config import PoolConfig
from feedback.pool.store import Pool
from feedback.privacy.vault import FOLDER, Vault
from feedback.store.connection import connect, find_redis
from serving.control.client import system_user
from serving.export_files import write_parquet, written_whole
from understudy.clock import wall
from understudy.config import config_for
from understudy.errors import Unavailable
from understudy.state import DEFAULT_STATE, StateDir

COLUMNS = (
    "id", "tenant", "at", "exchange", "lang", "kinds", "weight", "cut", "messages", "teacher", "teacher_text",
    "student", "student_text",
)  # fmt: skip
BATCH = 500
"""Rows held in memory at once."""


def main(argv: list[str]) -> int:
    """Entry point; 0 when the file is whole."""
    made = argparse.ArgumentParser(
        prog="understudy pool export",
        description="Write the hard pool, hard samples and then anchors, to a file: JSON lines, or Parquet where its "
        "name ends in .parquet. Texts are redacted; what was purged, or never captured, is not in it.",
        epilog="example: understudy pool export --out pool.jsonl --tenant acme",
    )
    made.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file; an older one is replaced")
    made.add_argument("--tenant", help="only the samples of this one")
    made.add_argument("--config", type=Path, help="your settings (YAML; default: of the `up` that runs in --state)")
    made.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: %(default)s)")
    made.add_argument("--json", action="store_true", help="print JSON")
    given = made.parse_args(argv)
    state = StateDir(given.state)
    config = config_for(given.config, state)
    redis = find_redis(config, state)
    if not redis.url:
        raise Unavailable(f"no Redis is known: set `redis.url`, or start what runs on {state.root}")
    pool = Pool(connect(redis.url), redis.prefix, config.section(PoolConfig), Vault(state.spool / FOLDER))
    samples = (one for one in pool.every() if given.tenant in (None, one.tenant))
    count = export(given.out, samples)
    audit = FileAuditLog(state.audit, wall, Registry(state).signer)
    who = {"tenant": given.tenant, "user": system_user()}
    audit.append("pool.exported", "operator", samples=count, file=given.out.name, **who)
    said = {"file": str(given.out), "samples": count, "tenant": given.tenant}
    print(json.dumps(said) if given.json else f"{count} samples written to {given.out}")
    return 0


def export(path: Path, samples: Iterable[HardSample]) -> int:
    """Write the samples, whole or not at all, for their owner alone to read; returns how many."""
    write = _parquet if path.suffix == ".parquet" else _lines
    rows = (sample.model_dump(mode="json", include=set(COLUMNS)) for sample in samples)
    return written_whole(path, lambda draft: write(draft, rows))


def _lines(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            count += 1
            file.write(json.dumps({name: row[name] for name in COLUMNS}, ensure_ascii=False) + "\n")
    return count


def _parquet(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    """`messages` is JSON in a column of text, since its fields are the clients' own."""

    def types(arrow: Any) -> dict[str, Any]:
        kinds = {"at": arrow.float64(), "weight": arrow.float64(), "cut": arrow.bool_()}
        kinds["kinds"] = arrow.list_(arrow.string())
        return {name: kinds.get(name, arrow.string()) for name in COLUMNS}

    plain = ({**row, "messages": json.dumps(row["messages"], ensure_ascii=False)} for row in rows)
    return write_parquet(path, types, plain, BATCH, ".jsonl")
