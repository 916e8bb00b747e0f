"""Names in Redis: under the prefix, none that another could be taken for, none of those that feedback keeps."""

from __future__ import annotations

from deploy.routing.document import SLOTS
from deploy.routing.keys import DeployKeys
from feedback.store.keys import RedisKeys


def properties(keys: DeployKeys | RedisKeys) -> list[str]:
    found = [getattr(keys, name) for name, value in vars(type(keys)).items() if isinstance(value, property)]
    return [name for one in found for name in ([one] if isinstance(one, str) else one)]


def names(keys: DeployKeys) -> list[str]:
    beats = [keys.slot(slot) for slot in SLOTS] + [keys.gateway(name) for name in (*SLOTS, "g1", "s")]
    return [*properties(keys), *beats]


def test_every_key_begins_with_the_prefix_and_no_two_collide() -> None:
    found = names(DeployKeys("另一个:"))
    assert all(name.startswith("另一个:") for name in found)
    assert len(set(found)) == len(found)


def test_none_is_a_key_of_feedbacks_or_lies_below_one() -> None:
    feedbacks = [name for name in properties(RedisKeys()) if isinstance(name, str)]
    assert feedbacks
    assert [name for name in names(DeployKeys()) for other in feedbacks if name.startswith(other)] == []
