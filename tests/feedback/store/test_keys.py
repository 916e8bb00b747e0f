"""Names in Redis: under the prefix, none that another could be taken for."""

from __future__ import annotations

from feedback.events import TOPICS
from feedback.store.keys import RedisKeys

BY_PARTITION = ("lease", "stream", "applied")
FURTHER = {"stream": (":numbers", ":bytes")}
"""Endings under which more is kept beside a key."""


def names(keys: RedisKeys) -> list[str]:
    """Every key, each kind by partition for two partitions of every topic."""
    found = []
    for name, value in vars(RedisKeys).items():
        if isinstance(value, property) and name != "former_targets":
            made = [getattr(keys, name)]
        elif name in BY_PARTITION:
            made = [getattr(keys, name)(topic, partition) for topic in TOPICS for partition in (0, 11)]
        else:
            continue
        found += [key + ending for key in made for ending in ("", *FURTHER.get(name, ()))]
    return found


def test_every_method_of_the_keys_is_looked_at() -> None:
    methods = {name for name, value in vars(RedisKeys).items() if callable(value) and not name.startswith("_")}
    assert methods == set(BY_PARTITION)


def test_every_key_begins_with_the_prefix_and_no_two_collide() -> None:
    found = names(RedisKeys("另一个:"))
    assert len(found) > 30
    assert all(name.startswith("另一个:") and name != "另一个:" for name in found)
    assert len(set(found)) == len(found)


def test_what_is_a_prefix_of_keys_covers_no_other_key() -> None:
    keys = RedisKeys()
    for prefix in (
        keys.kpis,
        keys.sketches,
        keys.exposures,
        keys.rows,
        keys.users,
        keys.targets,
        keys.early,
        keys.pool,
    ):
        assert prefix.endswith(":")
        assert [name for name in names(keys) if name.startswith(prefix)] == [prefix]
