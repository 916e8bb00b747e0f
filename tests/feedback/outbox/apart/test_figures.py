"""Figures of an outbox whose process was replaced."""

from __future__ import annotations

from feedback.outbox.apart.figures import OutboxFigures


def test_what_counts_up_goes_on_where_it_stood_and_levels_are_those_of_now() -> None:
    figures = OutboxFigures()
    assert figures.told(0, True)["alive"]
    figures.take({"stored": 7, "published": 5, "pending": 2, "bus_up": False, "dropped": {"spool": 1, "queue": 0}})
    figures.drop("queue")
    figures.ended(3)
    told = figures.told(4, False)
    assert (told["stored"], told["published"], told["pending"], told["alive"]) == (7, 5, 2, False)
    assert told["dropped"] == {"queue": 1, "spool": 1, "assemble": 0, "size": 0, "purged": 0, "process": 3}
    figures.take({"stored": 1, "published": 3, "pending": 0, "bus_up": True, "alive": True, "dropped": {"spool": 2}})
    told = figures.told(0, True)
    assert (told["stored"], told["published"], told["pending"], told["bus_up"]) == (8, 8, 0, True)
    assert told["dropped"]["spool"] == 3
