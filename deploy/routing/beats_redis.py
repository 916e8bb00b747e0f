"""Beats in Redis, which lets each expire by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from deploy.routing.beats import EXPIRY, Beat, parse_beat
from deploy.routing.document import SLOTS, GatewayBeat, Heartbeat
from deploy.routing.keys import DeployKeys
from deploy.routing.quick_redis import QuickRedis


class RedisBeats:
    """`BeatStore` on a server that may be away: then nobody is heard."""

    def __init__(self, redis: QuickRedis, keys: DeployKeys) -> None:
        self._redis = redis
        self._keys = keys

    @property
    def answers(self) -> bool:
        """See `BeatStore`."""
        return self._redis.answers

    def report_slot(self, beat: Heartbeat) -> None:
        """See `BeatStore`."""
        self._redis.call("set", self._keys.slot(beat.slot), beat.model_dump_json(), ex=EXPIRY)

    def report_gateway(self, beat: GatewayBeat) -> None:
        """See `BeatStore`."""
        if self._redis.call("set", self._keys.gateway(beat.id), beat.model_dump_json(), ex=EXPIRY):
            self._redis.call("sadd", self._keys.gateways, beat.id)

    def slots(self) -> dict[str, Heartbeat]:
        """See `BeatStore`."""
        return _beats(Heartbeat, self._texts(self._keys.slot, SLOTS))

    def gateways(self) -> dict[str, GatewayBeat]:
        """See `BeatStore`; those whose beat expired are taken off the set, and come back with a beat."""
        names: list[str] = sorted(self._redis.call("smembers", self._keys.gateways) or [])
        texts = self._texts(self._keys.gateway, names)
        gone = [name for name, text in texts.items() if text is None]
        if gone:
            self._redis.call("srem", self._keys.gateways, *gone)
        return _beats(GatewayBeat, texts)

    def forget_gateway(self, name: str) -> None:
        """See `BeatStore`."""
        self._redis.call("delete", self._keys.gateway(name))
        self._redis.call("srem", self._keys.gateways, name)

    def _texts(self, key: Callable[[str], str], names: Sequence[str]) -> dict[str, str | None]:
        """The text of each name, None where it expired; empty when Redis does not answer."""
        texts = self._redis.call("mget", [key(name) for name in names]) if names else None
        return dict(zip(names, texts or [], strict=False))


def _beats(model: type[Beat], texts: dict[str, str | None]) -> dict[str, Beat]:
    beats = {name: parse_beat(model, text) for name, text in texts.items() if text is not None}
    return {name: beat for name, beat in beats.items() if beat is not None}
