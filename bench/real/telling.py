"""The tables of a record: printed, and as rows for the page of benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

LEARNED = ("minutes", "slice", "agreement", "95 %", "exact", "prefix", "similarity", "prompts")
ASKED = {
    "ttft": ("at most", 0.65), "throughput_1": ("", 0.0), "throughput_8": ("at least", 3.0),
    "throughput_16": ("", 0.0), "memory": ("at most", 0.52), "memory_without_engine": ("at most", 0.52),
    "weights": ("", 0.0), "token": ("", 0.0), "own": ("", 0.0),
}  # fmt: skip
"""What row S9 of the requirements asks of each ratio, where it asks anything."""
NAMES = {
    "ttft": "time to the first token", "throughput_1": "tokens/s, 1 stream", "throughput_8": "tokens/s, 8 streams",
    "throughput_16": "tokens/s, 16 streams", "memory": "memory of all its processes",
    "memory_without_engine": "memory without the engine's own share", "weights": "memory of the weights",
    "token": "key-value cache of 1,000 tokens", "own": "the engine's own share",
}  # fmt: skip
PARTS = ("token", "own")
"""Of an arm's memory, shown beside each other without being kept as a ratio."""
COSTS = ("student answers", "processor time of a request", "of the teacher alone", "with shadow copies")
TableRows = list[tuple[str, ...]]


def learned(record: dict[str, Any]) -> TableRows:
    """A line for each slice of each row that was judged."""
    return [
        (
            f"{round(row['minutes'], 1):g}", name,
            f"{mark['agreement']:.3f}", f"{mark['low']:.3f} to {mark['high']:.3f}", f"{mark['exact']:.3f}",
            f"{mark['prefix']:.3f}", f"{mark['similarity']:.3f}", str(mark["n"]),
        )
        for row in record["rows"]
        for name, mark in row.get("marks", {}).items()
    ]  # fmt: skip


def trained(record: dict[str, Any]) -> str:
    """What the rounds of a record did, in a sentence."""
    rounds = [row["did"] for row in record["rows"] if "did" in row]
    if not rounds:
        return ""
    tokens = sum(did.get("reply_tokens", 0) for did in rounds)
    seconds = [did["token_seconds"] for did in rounds if did.get("token_seconds")]
    pace = f" at {len(seconds) / sum(seconds):.0f} tokens/s (prompts and replies)" if seconds else ""
    loads = [row["load"] for row in record["rows"] if "load" in row]
    better = sum(bool(row.get("better")) for row in record["rows"])
    return (
        f"{len(rounds)} rounds by {_clock(record)}, {better} of them an improvement; "
        f"{sum(map(worked, rounds)):.0f} minutes of scoring and training; {tokens:,} tokens of replies were learned "
        f"from{pace}; the machine's load was {min(loads):g} to {max(loads):g}. {_fitness(record)}"
    ).strip()


def worked(did: Mapping[str, Any]) -> float:
    """Minutes of scoring and training of a round, by what its row says that it did."""
    return float(did.get("score_seconds", 0) + did.get("train_seconds", 0)) / 60


def named(record: dict[str, Any]) -> str:
    """The teacher of a record, with what stands beside its figures."""
    name, note = str(record["teacher"]), record.get("note")
    return f"{name} ({note})" if note else name


def _clock(record: dict[str, Any]) -> str:
    """Whose minutes they are."""
    return "minutes of one core" if record["clock"] == "processor" else "wall clock"


def _fitness(record: dict[str, Any]) -> str:
    """How near the rounds' own judgement came to what makes a cut fit."""
    found = [row["fitness"] for row in record["rows"] if row.get("fitness")]
    if not found:
        return ""
    best = max(found, key=lambda one: float(one["agreement"]))
    fit = sum(one["event"] == "gate_passed" for one in found)
    return (
        f"By the rounds' own judgement, on prompts that they hold out of their traffic, {fit or 'none'} became fit: "
        f"the best {best['agreement']:.3f} (at least {best['lower']:.3f}) of the teacher's tokens, of "
        f"{best['wanted']:g} asked."
    )


def sizes(record: dict[str, Any]) -> TableRows:
    """Figures of both arms beside each other: ratio, what is asked, whether it is met."""
    found = record["serving"]
    arms = found["arms"]
    parts = {name: (arms["student"][name] / arms["teacher"][name] if arms["teacher"][name] else 0.0) for name in PARTS}
    ratios = {**found["ratios"], **parts}
    said = [_said(arms[arm], arms["teacher"]) for arm in ("teacher", "student")]
    return [
        (title, said[0][name], said[1][name], f"{ratios[name]:.2f}" if ratios[name] else "", *verdict(name, ratios))
        for name, title in NAMES.items()
    ]


def _said(arm: dict[str, Any], teacher: dict[str, Any]) -> dict[str, str]:
    """Each figure of an arm; without the engine its cache holds as many tokens as the teacher's."""
    held = arm["weights"] + teacher["kv_cache"] // teacher["token"] * arm["token"]
    return {
        "ttft": f"{arm['ttft']:.3f} s",
        **{f"throughput_{n}": f"{row['tokens_per_second']:.0f}" for n, row in arm["streams"].items()},
        "memory": f"{arm['memory'] >> 20} MiB",
        "memory_without_engine": f"{held >> 20} MiB",
        "weights": f"{arm['weights'] >> 20} MiB",
        "token": f"{1000 * arm['token'] / (1 << 20):.1f} MiB",
        "own": f"{arm['own'] >> 20} MiB",
    }


def verdict(name: str, ratios: dict[str, float]) -> tuple[str, str]:
    """What is asked of a ratio, and whether it is met; empty where nothing is."""
    bound, target = ASKED[name]
    if not bound:
        return "", ""
    met = ratios[name] <= target if bound == "at most" else ratios[name] >= target
    return f"{bound} {target:g}", "met" if met else "not met"


def costs(record: dict[str, Any]) -> TableRows:
    """Processor time of a request by the student's share."""
    return [
        (f"{row['share']:.0%}", f"{row['core_seconds']:.2f} s", f"{row['of_teacher']:.2f}", f"{row['with_copies']:.2f}")
        for row in record["serving"]["costs"]
    ]


def page(report: dict[str, Any], table: Callable[[TableRows, tuple[str, ...]], str]) -> str:
    """The section of docs/benchmarks.md, with `table` to write one in Markdown."""
    parts = section(report["records"])
    return "\n\n".join(part if isinstance(part, str) else table(*part) for part in parts)


def section(records: Sequence[dict[str, Any]]) -> Iterator[str | tuple[TableRows, tuple[str, ...]]]:
    """The page's part: paragraphs, and tables as rows and head."""
    yield (
        "A teacher that others trained and a cut of it, compared on dialogues that no round sees, and on general "
        "instructions, which are never learned (`general`); intervals of 95 % are over dialogues. Similarity is that "
        "of the product's check. Minutes are of scoring and training; the teacher's replies, which traffic brings, and "
        "judging do not count. A round takes its least number of steps (`trainer.min_steps`), and counts for what it "
        "took where that is more than its minutes."
    )
    for one in records:
        on = f"{named(one)}, on {one['machine']['processor']}"
        if rows := learned(one):
            yield (
                f"**A student of {one['layers']} layers, {one['round_minutes']:g} minutes a round**: {on}; "
                f"`{one['train']}`, {one['train_prompts']:,} prompts of at most {one['longest']} tokens, "
                f"{one['prompts']} before each round; judged on `{one['judge']}`. {trained(one)} {_by(one, 'learning')}"
            )
            yield rows, LEARNED
        if found := one["serving"]:
            yield (
                f"**Serving a student of {one['layers']} layers**: {on}; {_served(found)} "
                f"{_by(one | {'threads': found['cores']}, 'serving')}"
            )
            yield sizes(one), ("figure", "teacher", "student", "ratio", "asked", "")
            yield costs(one), COSTS


def _by(record: dict[str, Any], half: str) -> str:
    """The options that take a half of a record, where they are not the command's own."""
    return f"(`--layers {record['layers']} --half {half} --clock {record['clock']} --threads {record['threads']}`)"


def _served(found: dict[str, Any]) -> str:
    """How the arms were measured, and what lies beyond this cut."""
    arms = found["arms"]
    loads = [row["load"] for arm in arms.values() for row in arm["streams"].values()]
    text = (
        f"each arm alone in an engine of its own, {arms['teacher']['dtype']}, {found['cores']} cores, replies of "
        f"{found['reply_tokens']} tokens, a key-value cache of {arms['teacher']['kv_cache'] >> 20} MiB in either; the "
        f"machine's load was {min(loads):g} to {max(loads):g}. Processor time is that of the engine's processes at 8 "
        "streams, which other work on the machine changes less than it changes seconds."
    )
    if all("read" in arm for arm in arms.values()):
        bound = arms["teacher"]["read"] / arms["student"]["read"]
        text += (
            f" The student reads {bound:.1f} times as few weights a token: its gain where nothing but reading them "
            "takes time. What an engine does once a layer shrinks with the layers, the rest not at all."
        )
    return text + (" Few requests: `--quick`." if found["quick"] else "")


def show(record: dict[str, Any]) -> None:
    """Print what the record has."""
    console = Console()
    if rows := learned(record):
        _print(console, f"{named(record)}, a student of {record['layers']} layers", LEARNED, rows)
        console.print(trained(record), highlight=False)
    if record["serving"]:
        head = ("figure", "teacher", "student", "ratio", "asked", "")
        _print(console, f"serving {named(record)}: each arm alone", head, sizes(record))
        _print(console, "a request", COSTS, costs(record))


def _print(console: Console, title: str, head: tuple[str, ...], rows: TableRows) -> None:
    table = Table(title=title)
    for column in head:
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    console.print(table)
