"""`understudy bench guard`: recall by family, false positives by family and language, microseconds by length.

With `--data FILE` the rows of the file are judged by the guard that is shipped. Without it those of ../shared/data are:
since the weights have seen them, each row is judged by a model that has not, trained anew in folds and with families
left out; false positives and evasions are those of the shipped weights, on turns and templates that they did not see.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from rich.progress import track

from bench.guard import deadline, telling, unseen
from bench.guard.speed import speeds
from bench.guard.surrounded import surrounded
from serving.guard.cascade import Guard
from serving.guard.model.linear import LinearModel
from serving.guard.verdict import GuardVerdict
from serving.up.machine import machine
from trials.guard.chinese import chinese_attacks, chinese_benign
from trials.guard.evasions import LOOKS_HIDDEN, looks_hidden
from trials.guard.judging import JUDGED, GuardTally, by_key, guard_of, judge_by, judge_text, kind, sampled
from trials.guard.rows import NAME, GuardRow, guard_rows
from trials.guard.training import gather
from trials.guard.turns import JOINED_MARK, UserTurn, user_turns
from trials.shared_data import data_folder
from understudy.files import write_json

EVADED, BENIGN, SURROUNDED = 400, 1000, 200
"""Attacks, and harmless texts, that each evasion is tried on; attacks a language within longer and longer texts."""


def of_file(path: Path, guard: Guard, quick: bool) -> dict[str, Any]:
    """The figures of a file of rows."""
    rows = guard_rows(path)
    judge = judge_by(guard)
    verdicts = [judge(row) for row in track(rows, description="rows")]
    attacks = [row for row in rows if row.attack and kind(row) in JUDGED]
    benign = [row.text for row in rows if not row.attack]
    return {
        "data": path.name,
        "rows": by_key(rows, verdicts),
        **_sums(rows, verdicts),
        "evasions": unseen.evaded(judge, _some(attacks, quick), sampled(benign, BENIGN // (5 if quick else 1))),
    }


def of_sets(folder: Path, guard: Guard, quick: bool) -> dict[str, Any]:
    """The figures of the shared sets: rows that no model judging them has seen."""
    chinese = chinese_attacks("judge") + chinese_benign("judge")
    judge = judge_by(guard)
    verdicts = [judge(row) for row in chinese]
    found: dict[str, Any] = {"chinese": by_key(chinese, verdicts)}
    found |= _of_turns(user_turns(folder)["judge"], guard, 0.2 if quick else 1.0)
    found["looks_hidden"] = [
        GuardTally.of(
            judge_text(guard, text) for text in looks_hidden(name, BENIGN // (5 if quick else 1), "judge")
        ).told(kind=name)
        for name in track(LOOKS_HIDDEN, description="texts that look hidden")
    ]
    material = gather(folder, 0.2 if quick else 1.0)
    rows, by_fold, figures = unseen.in_folds(material)
    found |= {"data": "shared data", **figures}
    found |= _sums([*rows, *chinese], [*by_fold, *verdicts])
    if not quick:
        found["left_out"] = unseen.left_out(material)
    attacks = [row for row in [*rows, *chinese_attacks("judge")] if row.attack and kind(row) in JUDGED]
    plain = [row for row in attacks if kind(row) != "encoding"]
    around = [(turn.text, turn.language) for turn in material.judge if not turn.joined and not turn.task]
    found["surrounded"] = surrounded(judge, plain, around, SURROUNDED // (4 if quick else 1))
    texts = [turn.text for turn in material.judge if len(turn.text) <= 2000]
    found["evasions"] = unseen.evaded(judge, _some(plain, quick), sampled(texts, BENIGN // (5 if quick else 1)))
    return found


def _of_turns(turns: list[UserTurn], guard: Guard, share: float) -> dict[str, Any]:
    """False positives of the shipped weights on turns that they have not seen, by source and by language."""
    if share < 1:
        turns = random.Random(1).sample(turns, round(len(turns) * share))
    held: dict[tuple[str, str], list[GuardVerdict]] = defaultdict(list)
    for turn in track(turns, description="harmless turns"):
        held[turn.source, turn.language].append(judge_text(guard, turn.text))
    single = {key: found for key, found in held.items() if not key[0].endswith(JOINED_MARK)}
    languages = sorted({language for _, language in single})
    of_language = {
        spoken: [one for (_, language), found in single.items() if language == spoken for one in found]
        for spoken in languages
    }
    return {
        "turns": [
            GuardTally.of(found).told(source=source, language=spoken)
            for (source, spoken), found in sorted(held.items())
        ],
        "turns_by_language": [GuardTally.of(found).told(language=spoken) for spoken, found in of_language.items()],
        "turns_all": GuardTally.of(one for found in single.values() for one in found).told(),
    }


def _sums(rows: list[GuardRow], verdicts: list[GuardVerdict]) -> dict[str, Any]:
    """Recall by family, and false positives by family and by language: the names that others read."""
    pairs = list(zip(rows, verdicts, strict=True))
    recall = {
        family: GuardTally.of(one for row, one in pairs if row.attack and row.family == family)
        for family in sorted({row.family for row in rows if row.attack})
    }
    wrong = {
        family: GuardTally.of(one for row, one in pairs if not row.attack and row.family == family)
        for family in sorted({row.family for row in rows if not row.attack})
    }
    spoken = {
        name: GuardTally.of(one for row, one in pairs if not row.attack and row.language == name)
        for name in sorted({row.language for row in rows if not row.attack})
    }
    return {
        "recall": {name: found.share for name, found in recall.items()},
        "false_positives": {name: found.share for name, found in wrong.items()},
        "false_positives_by_language": {name: found.told() for name, found in spoken.items()},
    }


def _some(rows: list[GuardRow], quick: bool) -> list[GuardRow]:
    count = EVADED // (4 if quick else 1)
    return rows if len(rows) <= count else random.Random(1).sample(rows, count)


def _beside(options: argparse.Namespace, figures: dict[str, Any]) -> int:
    """Show figures that were measured alone, and put them beside what a former run found out."""
    if options.json:
        known = json.loads(options.json.read_text("utf-8")) if options.json.is_file() else {}
        write_json(options.json, {**known, **figures, "machine": machine()})
    telling.show(figures)
    return 0


def main(argv: list[str]) -> int:
    """Entry point."""
    made = argparse.ArgumentParser(
        prog="understudy bench guard",
        description="Recall by family, false positives by family and language, microseconds by length.",
        epilog="example: understudy bench guard --data rows.jsonl --json guard.json",
    )
    made.add_argument("--data", type=Path, metavar="FILE", help='JSON lines {"text", "label", "family", "system"?}')
    made.add_argument("--quick", action="store_true", help="a fifth of the rows, nothing left out: two minutes at most")
    made.add_argument(
        "--speed", action="store_true", help="microseconds alone; other figures of --json stay as they are"
    )
    made.add_argument(
        "--deadline", action="store_true",
        help=f"harmless requests at {deadline.RATE:g}/s through a gateway alone, and how many its guard's deadline "
        "degraded; other figures of --json stay as they are",
    )  # fmt: skip
    made.add_argument(
        "--requests", type=int, default=deadline.REQUESTS, help="of --deadline (default: %(default)s: 200 s)"
    )
    made.add_argument(
        "--texts", type=Path, metavar="FILE", help='of --deadline: JSON lines {"messages"}, {"prompt"} or {"text"}'
    )
    made.add_argument("--json", type=Path, help="write the figures there as well")
    options = made.parse_args(argv)
    began = time.monotonic()
    model = LinearModel.load()
    guard = guard_of(model)
    if options.speed:
        return _beside(options, {"microseconds": speeds(guard, options.quick)})
    if options.deadline:
        return _beside(options, {"deadline": deadline.measured(options.requests, options.texts)})
    found: dict[str, Any] = {"machine": machine(), "thresholds": {"flag": model.flag, "degrade": model.degrade}}
    if options.data:
        found |= of_file(options.data, guard, options.quick)
    elif (data_folder() / NAME).is_file():
        found |= of_sets(data_folder(), guard, options.quick)
    else:
        print(f"no {data_folder() / NAME}: only speed is measured; name rows by --data, or set UNDERSTUDY_DATA")
    found["microseconds"] = speeds(guard, options.quick)
    found["seconds"] = time.monotonic() - began
    if options.json:
        write_json(options.json, found)
    telling.show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
