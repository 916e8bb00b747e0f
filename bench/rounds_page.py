"""The section of the page of benchmarks on rounds: what is left of what was known, by recipe and seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

from bench.exam import lost

Tabulate = Callable[[Sequence[tuple[str, ...]], tuple[str, ...]], str]
LENGTH = ("steps", "minutes", "text_seconds", "new", "general", "judge")
"""What records that stand in one table have in common."""


def page(report: dict[str, Any], table: Tabulate) -> str:
    """Round after round: what is left of what was known, by recipe and seed; a table for each length of round."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for found in report["records"]:
        groups.setdefault(tuple(found.get(key) for key in LENGTH), []).append(found)
    return "\n\n".join([
        *(part for records in groups.values() for part in (_about(records), _table(records, table))),
        "Exact replies: every token the student's own choice under the teacher's prefix, on general prompts and as "
        "many of each new kind as the table says, all with new templates and values. The course shows "
        "every candidate, refused ones too (marked !), after which the next round begins with the student before; what "
        "is lost, and what is left of each kind, is that of the student which was live at the end. `first` learns as "
        "the first loop did, from rows that are chosen as they are today.",
        table(list(_settings(report["records"]).items()), ("recipe", "what it sets")),
        *_blends(report["records"]),
        "The machine that made this had other work. Seeds and recipes that are not in a table were not run.",
    ])  # fmt: skip


def _about(records: Sequence[dict[str, Any]]) -> str:
    """How long a round of these records is, of what traffic, and how it is judged."""
    one = records[0]
    done = [row["did"] for found in records for row in found["rows"][1:]]
    paces = [1000 * one["token_seconds"] for one in done if "token_seconds" in one]
    if one.get("minutes"):
        length = f"{one['minutes']:g} minutes of processor time in which each round trains, whatever it does in them"
        pace = "of that time, which tells a little of what else the machine did"
    else:
        length = f"{one['steps']} steps a round, whatever time they take"
        pace = "which changes no figure"
    return (
        f"{length[0].upper()}{length[1:]}; {one['new']} prompts of new kinds and {one['general']} others in the "
        f"traffic of each, {one['text_seconds']:g} s of a round of 300 s for each text that the teacher scores; "
        f"{one['judge']} general prompts are judged. Training took {min(paces):.2f} to {max(paces):.2f} ms a token, "
        f"{pace}."
    )


def _table(records: Sequence[dict[str, Any]], table: Tabulate) -> str:
    rows = []
    for found in records:
        start, last = found["rows"][0], live(found)
        gone = lost(start["general_rows"], last["general_rows"])
        course = " ".join(
            f"{row['general']['exact']:.3f}{'' if row.get('passed', True) else '!'}" for row in found["rows"]
        )
        passed = sum(bool(row.get("passed")) for row in found["rows"][1:])
        steps = [row["did"]["steps"] for row in found["rows"][1:] if "steps" in row["did"]]
        kinds = [f"{last['kinds'][kind]['exact']:.2f} of {best(found, kind):.2f}" for kind in last["kinds"]]
        rows.append((
            found["recipe"], str(found["seed"]), str(found["judge_new"]), str(len(found["rows"]) - 1),
            f"{fmean(steps):.0f}" if steps else "-", str(passed), course,
            f"{100 * (gone.lost - gone.won) / gone.n:+.1f} (at most {100 * gone.bound(0.05):.1f})", *kinds,
        ))  # fmt: skip
    kinds = list(records[0]["rows"][0]["kinds"])
    return table(rows, ("recipe", "seed", "of a kind", "rounds", "steps of one", "passed the gate",
                        "general, from the start on", "points lost (one-sided 95 %)",
                        *(f"{kind}, last of best" for kind in kinds)))  # fmt: skip


def _settings(records: Sequence[dict[str, Any]]) -> dict[str, str]:
    told = {one["recipe"]: ", ".join(f"{key} {value}" for key, value in one["settings"].items()) for one in records}
    return {recipe: settings or "the settings that the trainer comes with" for recipe, settings in told.items()}


def _blends(records: Sequence[dict[str, Any]]) -> list[str]:
    """Which blends the rounds took that chose one."""
    chosen = [found for found in records if "blends" in found["settings"]]
    took = [" ".join(f"{row['did'].get('blend', 0):g}" for row in found["rows"][1:]) for found in chosen]
    told = [f"{found['recipe']}, seed {found['seed']}: {blends}" for found, blends in zip(chosen, took, strict=True)]
    return [f"Blends that were chosen, round by round: {'; '.join(told)}."] if told else []


def attribution(report: dict[str, Any], table: Tabulate) -> str:
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
