"""Pool and reservoir -> rows to train on and rows held out, as many as there is time to score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from deploy.rounds.leading import stored
from deploy.rounds.record import Round
from online_distill.data.account import account, by_cluster, left_out
from online_distill.data.config import DataConfig
from online_distill.data.encoding import Encoder
from online_distill.data.material import gather, of_teacher, too_old
from online_distill.data.nearness import apart
from online_distill.data.reservoir import Reservoir, load_reservoir
from online_distill.data.rows import Row, write_rows
from online_distill.data.selecting import Material, is_development, is_held_out, select
from online_distill.role.context import Context, StageOutcome
from online_distill.role.history import scoring_pace, trained_up_to
from online_distill.role.parent import Parent
from online_distill.role.waiting import still_waiting, wait_for_rows
from online_distill.teacher.sizing import fit, room_for
from understudy.files import write_json

RESERVOIR = "reservoir.jsonl"
DEVELOPMENT = "development.jsonl"
"""Rows that are neither trained on nor held out, on which blends are compared; only where the recipe compares some."""
POOL_FACTOR = 3
"""Times as many old samples are looked at as are trained on, since some are held out, doubles or learned by now."""
MOST_ANCHORS = 20_000


def select_stage(context: Context) -> StageOutcome:
    """Pool and reservoir -> train.jsonl, holdout.jsonl and, where blends are compared, development.jsonl.

    The reservoir keeps what later rounds draw from.
    """
    still_waiting(context)
    folder, config, kept = context.folder("select"), context.config, context.rounds.kept / RESERVOIR
    position, reservoir = context.source.position(), load_reservoir(kept, config.reserved_clusters, context.vault)
    reservoir.forget(context.source.purged())
    encoder = Encoder(context.registry.path(context.round.parent))
    material, kept_out = _material(context, reservoir)
    parent = Parent(context, encoder)
    chosen = select(material, config, parent.agrees)
    wait_for_rows(context, chosen.holdout)
    away = apart(chosen.train, [*chosen.holdout, *_held_out(material, config)])
    development = [row for row in away if config.blends and is_development(row.exchange, config)]
    free = parent.marked([row for row in away if row not in development])
    pace = scoring_pace(_before(context))
    room = room_for(config.budget_seconds * config.score_share, pace)
    costs = _costs(free, encoder, context)
    train, _ = fit([row for row in free if row.id in costs], lambda row: costs[row.id], room, config.min_train)
    write_rows(folder / "train.jsonl", train, context.vault)
    write_rows(folder / "holdout.jsonl", chosen.holdout, context.vault)
    if config.blends:
        write_rows(folder / DEVELOPMENT, development, context.vault)
    reservoir.keep([*material.general, *_anchors(free)], config, judged=chosen.holdout)
    reservoir.save(kept, context.vault)
    table = by_cluster(train, chosen.holdout)
    led = {leader.id: stored(leader, context.vault) for leader in reservoir.clusters.led}
    named = [{**entry, "led": led[entry["cluster"]]} if entry["cluster"] in led else entry for entry in table]
    write_json(folder / "clusters.json", {"schema_version": 2, "clusters": named})
    summary = {
        "position": position,
        **account(train, chosen.holdout, table),
        **({"development": len(development)} if config.blends else {}),
        **left_out({**_dropped(chosen.train, away, free, train, costs), **kept_out}, chosen.dropped),
        "texts_room": room,
        "reservoir": {"rows": len(reservoir.rows), "anew": reservoir.anew},
    }
    why_not = _too_little(train, len(free) - len(train), len(kept_out["former_teacher"]), context)
    return StageOutcome({**summary, "error": why_not}, "failed") if why_not else StageOutcome(summary)


def _material(context: Context, reservoir: Reservoir) -> tuple[Material, dict[str, list[str]]]:
    """What there is of the round's teacher; ids of what is kept out: text of former ones, the parent's own too old."""
    source, parent, teacher = context.source, context.round.parent, context.round.teacher
    since = context.knowledge.since
    given = (
        source.fresh(trained_up_to(_before(context)), parent),
        source.hard(context.config.max_hard * POOL_FACTOR),
        source.anchors(MOST_ANCHORS),
    )
    fresh, hard, anchors = (of_teacher(samples, teacher, since) for samples in given)
    ours = {sample.id for sample in (*fresh, *hard, *anchors)}
    former = {sample.id: None for samples in given for sample in samples if sample.id not in ours}
    old = too_old(fresh, hard)
    texts = {s.id: None for s in (*fresh, *hard) if s.id in old and s.student == parent and s.student_text}
    kept_out = {
        "former_teacher": [*former, *reservoir.forget_teachers(teacher, since)],
        "student_text_too_old": list(texts),
    }
    return gather(fresh, hard, anchors, reservoir, parent), kept_out


def _dropped(
    chosen: list[Row], away: list[Row], free: list[Row], train: list[Row], costs: Collection[str]
) -> dict[str, list[str]]:
    """By reason the ids of the chosen rows that are not trained on, though nothing else is to be done with them."""
    apart_from_held_out, kept = {row.id for row in away}, {row.id for row in train}
    late = [row for row in free if row.id in costs and row.id not in kept]
    return {
        "no_time_hard": [row.id for row in late if row.role == "hard"],
        "no_time_anchor": [row.id for row in late if row.role == "anchor"],
        "too_long": [row.id for row in free if row.id not in costs],
        "near_held_out": [row.id for row in chosen if row.id not in apart_from_held_out],
    }


def _held_out(material: Material, config: DataConfig) -> list[Row]:
    """Every row that no round trains on, whether this one is judged on it or not."""
    rows = (*material.fresh, *material.old, *material.general)
    return [row for row in rows if is_held_out(row.exchange, row.cluster, config)]


def _costs(rows: list[Row], encoder: Encoder, context: Context) -> Counter[str]:
    """Texts that the teacher has to be asked for, by id of the row; a row that does not fit is not in it."""
    memory, costs, free = context.memory(), Counter[str](), context.knowledge.level == "text"
    for text in context.texts(rows, encoder):
        asked = not (free or text.known or (memory is not None and memory.holds(text)))
        costs[text.row] += int(asked)
    return costs


def _before(context: Context) -> list[Round]:
    return [found for found in context.rounds.all() if found.id < context.round.id]


def _anchors(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.role == "anchor"]


def _too_little(train: list[Row], left_out: int, former: int, context: Context) -> str:
    """Why no round can be made of so few rows; empty: it can."""
    others = f"; {former} hold the text of a teacher before {context.round.teacher}" if former else ""
    if len(train) < context.config.min_train:
        longer = f" ({left_out} more do not fit trainer.max_length)" if left_out else ""
        least = context.config.min_train
        return f"{len(train)} samples to train on{longer}, {least} are needed{others}; send more traffic"
    if not any(row.role == "hard" for row in train):
        return f"no failure of {context.round.parent} since the last round{others}; send more traffic"
    return ""
