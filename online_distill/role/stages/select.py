"""Pool and reservoir -> rows to train on and rows held out, as many as there is time to score."""

from __future__ import annotations

from collections import Counter

from deploy.rounds.record import Round
from online_distill.data.account import account, by_cluster
from online_distill.data.encoding import Encoder
from online_distill.data.material import gather
from online_distill.data.reservoir import Reservoir, load_reservoir
from online_distill.data.rows import Row, write_rows
from online_distill.data.selecting import Material, select
from online_distill.role.context import Context, StageOutcome
from online_distill.role.history import scoring_pace, trained_up_to
from online_distill.role.parent import Parent
from online_distill.role.waiting import still_waiting, wait_for_rows
from online_distill.teacher.sizing import fit, room_for
from online_distill.teacher.texts import texts_of
from understudy.files import write_json

RESERVOIR = "reservoir.jsonl"
POOL_FACTOR = 3
"""Times as many old samples are looked at as are trained on, since some are held out, doubles or learned by now."""
MOST_ANCHORS = 20_000


def select_stage(context: Context) -> StageOutcome:
    """Pool and reservoir -> train.jsonl and holdout.jsonl. The reservoir keeps what later rounds draw from."""
    still_waiting(context)
    folder, config, kept = context.folder("select"), context.config, context.rounds.kept / RESERVOIR
    position, reservoir = context.source.position(), load_reservoir(kept, config.reserved_clusters)
    reservoir.forget(context.source.purged())
    encoder = Encoder(context.registry.path(context.round.parent))
    material = _material(context, reservoir)
    chosen = select(material, config, Parent(context, encoder).agrees)
    wait_for_rows(context, chosen.holdout)
    pace = scoring_pace(_before(context))
    room = room_for(config.budget_seconds * config.score_share, pace)
    costs = _costs(chosen.train, encoder, context)
    train, no_time = fit(
        [row for row in chosen.train if row.id in costs], lambda row: costs[row.id], room, config.min_train
    )
    write_rows(folder / "train.jsonl", train)
    write_rows(folder / "holdout.jsonl", chosen.holdout)
    reservoir.keep([*material.general, *chosen.holdout, *_anchors(chosen.train)], config)
    reservoir.save(kept)
    table = by_cluster(train, chosen.holdout, reservoir.clusters.names())
    write_json(folder / "clusters.json", {"schema_version": 1, "clusters": table})
    summary = {
        "position": position,
        **account(train, chosen.holdout, table),
        "left_out": {**chosen.dropped, **no_time, "too_long": sum(row.id not in costs for row in chosen.train)},
        "texts_room": room,
        "reservoir": {"rows": len(reservoir.rows), "anew": reservoir.anew},
    }
    why_not = _too_little(train, len(chosen.train) - len(train), context)
    return StageOutcome({**summary, "error": why_not}, "failed") if why_not else StageOutcome(summary)


def _material(context: Context, reservoir: Reservoir) -> Material:
    source, parent = context.source, context.round.parent
    return gather(
        source.fresh(trained_up_to(_before(context)), parent),
        source.hard(context.config.max_hard * POOL_FACTOR),
        source.anchors(MOST_ANCHORS),
        reservoir,
        parent,
    )


def _costs(rows: list[Row], encoder: Encoder, context: Context) -> Counter[str]:
    """Texts that have to be scored, by id of the row; a row that does not fit is not in it."""
    memory, costs = context.memory(), Counter[str]()
    for text in texts_of(rows, encoder, context.config):
        costs[text.row] += int(memory is None or not memory.holds(text.encoded))
    return costs


def _before(context: Context) -> list[Round]:
    return [found for found in context.rounds.all() if found.id < context.round.id]


def _anchors(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.role == "anchor"]


def _too_little(train: list[Row], left_out: int, context: Context) -> str:
    """Why no round can be made of so few rows; empty: it can."""
    if len(train) < context.config.min_train:
        longer = f" ({left_out} more do not fit trainer.max_length)" if left_out else ""
        return f"{len(train)} samples to train on{longer}, {context.config.min_train} are needed; send more traffic"
    if not any(row.role == "hard" for row in train):
        return f"no failure of {context.round.parent} since the last round; send more traffic"
    return ""
