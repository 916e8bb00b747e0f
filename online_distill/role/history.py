"""What a round learns of those before it."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.rounds.record import Round


def trained_up_to(rounds: Sequence[Round]) -> int:
    """The pool's position when the samples of the last round that trained were drawn; 0 before the first.

    `rounds`: newest first. A round that ended before it had trained has used nothing up.
    """
    trained = (r for r in rounds if "distil" in r.stages and r.stages["distil"].event == "done")
    return next((int(r.stages["select"].summary.get("position", 0)) for r in trained), 0)


def scoring_pace(rounds: Sequence[Round]) -> float | None:
    """Seconds a text of the last round in which the teacher was asked; None before there was one."""
    summaries = (r.stages["score"].summary for r in rounds if "score" in r.stages)
    return next((float(pace) for s in summaries if (pace := s.get("seconds_per_text", 0.0)) > 0), None)


def training_pace(rounds: Sequence[Round]) -> float | None:
    """Seconds a token of the last round that trained; None before there was one.

    A machine that also serves is faster or slower for a minute at a time, and a whole round averages over that.
    """
    summaries = (r.stages["distil"].summary for r in rounds if "distil" in r.stages)
    return next((float(pace) for s in summaries if (pace := s.get("token_seconds", 0.0)) > 0), None)
