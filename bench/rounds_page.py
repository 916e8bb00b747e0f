"""The section of the page of benchmarks on rounds: what is left of what was known, by recipe and seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bench.exam import lost


def page(report: dict[str, Any], table: Callable[[Sequence[tuple[str, ...]], tuple[str, ...]], str]) -> str:
    """Round after round: what is left of what was known, by recipe and seed."""
    rows, notes = [], dict[str, str]()
    for found in report["records"]:
        start, last = found["rows"][0], live(found)
        gone = lost(start["general_rows"], last["general_rows"])
        course = " ".join(
            f"{row['general']['exact']:.3f}{'' if row.get('passed', True) else '!'}" for row in found["rows"]
        )
        passed = sum(bool(row.get("passed")) for row in found["rows"][1:])
        kinds = [f"{last['kinds'][kind]['exact']:.2f} of {best(found, kind):.2f}" for kind in last["kinds"]]
        rows.append((
            found["recipe"], str(found["seed"]), str(found["judge_new"]), str(len(found["rows"]) - 1), str(passed),
            course,
            f"{100 * (gone.lost - gone.won) / gone.n:+.1f} (at most {100 * gone.bound(0.05):.1f})", *kinds,
        ))  # fmt: skip
        settings = ", ".join(f"{key} {value}" for key, value in found["settings"].items())
        notes[found["recipe"]] = settings or "the settings that the trainer comes with"
    one = report["records"][0]
    done = [row["did"] for found in report["records"] for row in found["rows"][1:]]
    paces = [one["token_seconds"] for one in done if "token_seconds" in one]
    kinds = list(one["rows"][0]["kinds"])
    return "\n\n".join([
        f"{one['steps']} steps a round, {one['new']} prompts of new kinds and {one['general']} others in the traffic "
        f"of each, {one['text_seconds']:g} s of a round of 300 s for each text that the teacher scores. Exact replies: "
        f"every token the student's own choice under the teacher's prefix, on {one['judge']} general prompts and as "
        "many of each new kind as the table says, all with new templates and values. The course shows "
        "every candidate, refused ones too (marked !), after which the next round begins with the student before; what "
        "is lost, and what is left of each kind, is that of the student which was live at the end. Recipes have equal "
        "steps; `first` learns as the first loop did, from rows that are chosen as they are today.",
        table(rows, ("recipe", "seed", "of a kind", "rounds", "passed the gate", "general, from the start on",
                     "points lost (one-sided 95 %)", *(f"{kind}, last of best" for kind in kinds))),
        table(list(notes.items()), ("recipe", "what it sets")),
        f"Training took {1000 * min(paces):.2f} to {1000 * max(paces):.2f} ms a token on the machine that made this, "
        "which had other work; the number of steps is fixed, so that this changes no figure. Seeds and recipes that "
        "are not in the table were not run.",
    ])  # fmt: skip


def attribution(report: dict[str, Any], table: Callable[[Sequence[tuple[str, ...]], tuple[str, ...]], str]) -> str:
    """What each kind of data or channel of the loss did for a round's student, on its held-out rows."""
    players = report["players"]
    rows = [
        (name.replace(".", ", "), str(found["n"]), _points(found["change"]),
         *(_points(found["shapley"][player]) if found["attributed"] else "" for player in players))
        for name, found in report["figures"].items()
    ]  # fmt: skip
    values = [
        (
            some.replace(",", ", ") or "none",
            *(f"{100 * found['values'][some][0]:.1f}" for found in report["figures"].values()),
        )
        for some in report["coalitions"]
    ]
    spent = sum(one["seconds"] for one in report["coalitions"].values())
    again = "gave the same weights, to the bit" if report["same_weights"] else "did not give the same weights"
    return "\n\n".join([
        f"Round {report['round']} of the student {report['parent']}, trained again with each combination of "
        f"{', '.join(players)}: {len(report['coalitions'])} students, {spent / 60:.0f} minutes. With all of them it "
        f"{again}; without new rows and replay nothing is trained. Points of held-out rows, with 95 % intervals of "
        "one look; contributions add up to the change, and a change whose interval holds 0 has none:",
        table(rows, ("slice, figure", "rows", "from none to all", *players)),
        "Each combination by itself, per cent of the same rows:",
        table(values, ("trained with", *(name.replace(".", ", ") for name in report["figures"]))),
    ])  # fmt: skip


def _points(part: dict[str, float]) -> str:
    value, low, high = (100 * part[key] for key in ("value", "lower", "upper"))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


def live(record: dict[str, Any]) -> dict[str, Any]:
    """The row of the student that was live after the last round."""
    found: dict[str, Any] = [row for row in record["rows"] if row.get("passed", True)][-1]
    return found


def best(record: dict[str, Any], kind: str) -> float:
    """The highest share of exact replies to a kind that a live student has reached."""
    return max(float(row["kinds"][kind]["exact"]) for row in record["rows"] if row.get("passed", True))
