"""Where the routing document and the beats of slots and gateways live: Redis, with files beside it.

A document is written as a file first, then published to Redis; a reader asks Redis and falls back to the
file, and never returns an epoch below the highest it has seen. Heartbeats go to both places too, so that on
one machine the controller sees its slots while Redis is gone. All calls are synchronous with short time-outs;
asyncio callers use `asyncio.to_thread`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import redis
from pydantic import ValidationError
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploy.routing import SLOTS, Heartbeat, RoutingDocument
from understudy.clock import Clock, monotonic, wall
from understudy.errors import Conflict
from understudy.files import write_atomic
from understudy.state import StateDir

TIMEOUT = 0.4
"""Seconds for one Redis call."""
PAUSE = 1.0
"""Seconds without asking Redis after it failed."""
KEPT = 1000
"""Former documents kept as files."""
EXPIRY = 5
"""Seconds that a beat counts."""

_PUBLISH = """
local fence = tonumber(redis.call('GET', KEYS[3]) or '0')
if tonumber(ARGV[3]) < fence then return -1 end
local seen = tonumber(redis.call('GET', KEYS[2]) or '-1')
if tonumber(ARGV[1]) <= seen and ARGV[4] ~= 'again' then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], ARGV[1])
redis.call('PUBLISH', KEYS[4], ARGV[1])
return 1
"""


class RoutingStore:
    """Reads and writes of the routing document and of beats; `state` or `redis_url` may be None."""

    def __init__(self, state: StateDir | None, redis_url: str | None, prefix: str = "us:", clock: Clock = wall) -> None:
        self._state = state
        self._prefix = prefix
        self._clock = clock
        self._redis: Any = None
        if redis_url:
            self._redis = quick_client(redis_url)
        self._silent_until = 0.0
        self._highest: RoutingDocument | None = None

    def read(self) -> RoutingDocument | None:
        """The newest document known: Redis, else the file, else the one read last. None before the first."""
        seen = -1 if self._highest is None else self._highest.epoch
        found = self._from_redis()
        if (found is None or found.epoch < seen) and self._state is not None:
            stored = self._from_file()
            if found is None or (stored is not None and stored.epoch > found.epoch):
                found = stored
        if found is not None and found.epoch >= seen:
            self._highest = found
        return self._highest

    def publish(self, document: RoutingDocument, fence: int = 0) -> None:
        """Make `document` the current one; the controller alone calls this, under its lease.

        Redis may be away: the file counts, and `refresh` hands the document on later.

        Raises:
            Conflict: an equal or higher epoch is on disk, or a younger leader has taken over.
        """
        text = document.model_dump_json()
        if self._state is not None:
            stored = self._from_file()
            if stored is not None and stored.epoch >= document.epoch:
                raise Conflict(f"epoch {document.epoch} is not above {stored.epoch}: another controller writes")
            write_atomic(self._state.routing / f"epoch-{document.epoch}.json", text)
            write_atomic(self._state.routing / "current.json", text)
            (self._state.routing / f"epoch-{document.epoch - KEPT}.json").unlink(missing_ok=True)
        if self._push(document, text, fence) < 0:
            raise Conflict("another controller leads now; this one stops writing")
        self._highest = document

    def refresh(self, fence: int = 0) -> bool:
        """Bring Redis back to the newest document after it lost it; True when it holds that one."""
        newest = self._from_file() if self._state is not None else self._highest
        if newest is None:
            return False
        held = self._from_redis()
        if held is not None and held.epoch >= newest.epoch:
            return True
        return self._push(newest, newest.model_dump_json(), fence, again=True) > 0

    def beat(self, heartbeat: Heartbeat) -> None:
        """Report a slot; counts for five seconds."""
        stamped = heartbeat.model_copy(update={"at": self._clock()})
        self._say("slot", heartbeat.slot, stamped.model_dump_json())

    def heartbeats(self) -> dict[str, Heartbeat]:
        """The slots that reported within five seconds, by name."""
        found = {}
        for slot, text in self._heard("slot", SLOTS).items():
            try:
                found[slot] = Heartbeat.model_validate_json(text)
            except ValidationError:
                continue
        return found

    def gateway_beat(self, name: str, epoch: int, url: str) -> None:
        """Report that gateway `name` routes by `epoch`."""
        value = {"id": name, "epoch": epoch, "url": url, "pid": os.getpid(), "at": self._clock()}
        self._say("gateway", name, json.dumps(value))

    def gateways(self) -> list[dict[str, Any]]:
        """Beats of the gateways that reported within five seconds."""
        return [json.loads(text) for _, text in sorted(self._heard("gateway", self._gateway_names()).items())]

    def forget_gateway(self, name: str) -> None:
        """Take a gateway off the list at once, for one that stops in order."""
        if self._state is not None:
            (self._folder("gateway") / f"{name}.json").unlink(missing_ok=True)
        self._call("delete", f"{self._prefix}gateway:{name}")
        self._call("srem", f"{self._prefix}gateways", name)

    @property
    def sees_all(self) -> bool:
        """Whether silence means absence: Redis answers, or there is none and beats are files."""
        return self._redis is None or self._call("ping") is not None

    def _push(self, document: RoutingDocument, text: str, fence: int, again: bool = False) -> int:
        keys = [self._prefix + k for k in ("routing", "routing:epoch", "controller:fence", "routing")]
        mode = "again" if again else "new"
        done = self._call("eval", _PUBLISH, 4, *keys, document.epoch, text, fence, mode)
        return 0 if done is None else int(done)

    def _from_redis(self) -> RoutingDocument | None:
        text = self._call("get", self._prefix + "routing")
        return None if text is None else _parse(text)

    def _from_file(self) -> RoutingDocument | None:
        if self._state is None:
            return None
        try:
            return _parse((self._state.routing / "current.json").read_bytes())
        except OSError:
            return None

    def _folder(self, kind: str) -> Path:
        return cast(StateDir, self._state).run / f"{kind}s"

    def _say(self, kind: str, name: str, text: str) -> None:
        if self._state is not None:
            folder = self._folder(kind)
            folder.mkdir(parents=True, exist_ok=True)
            draft = folder / f".{name}.{os.getpid()}"
            draft.write_text(text, "utf-8")
            os.replace(draft, folder / f"{name}.json")
        if self._call("set", f"{self._prefix}{kind}:{name}", text, ex=EXPIRY) and kind == "gateway":
            self._call("sadd", f"{self._prefix}gateways", name)

    def _heard(self, kind: str, names: Sequence[str]) -> dict[str, str]:
        """Texts by name: Redis lets them expire, files count by their time; the younger one where both have it."""
        texts = [*self._redis_beats(kind, names).items()]
        if self._state is not None and self._folder(kind).is_dir():
            files = [(file.stem, _read(file)) for file in self._folder(kind).glob("[!.]*.json")]
            texts += [(name, text) for name, text in files if self._clock() - _at(text) <= EXPIRY]
        newest: dict[str, str] = {}
        for name, text in texts:
            if _at(text) > (_at(newest[name]) if name in newest else 0.0):
                newest[name] = text
        return newest

    def _redis_beats(self, kind: str, names: Sequence[str]) -> dict[str, str]:
        texts = self._call("mget", [f"{self._prefix}{kind}:{name}" for name in names]) if names else None
        found = {name: text for name, text in zip(names, texts or [], strict=False) if text is not None}
        if kind == "gateway" and texts is not None and len(found) < len(names):
            self._call("srem", f"{self._prefix}gateways", *(set(names) - set(found)))
        return found

    def _gateway_names(self) -> list[str]:
        """Gateways that reported; those whose beat expired are taken off the set, and come back with a beat."""
        return sorted(self._call("smembers", f"{self._prefix}gateways") or [])

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """A Redis command's answer; None for no text, or when Redis is away, which then is not asked for a second."""
        if self._redis is None or monotonic() < self._silent_until:
            return None
        try:
            return getattr(self._redis, name)(*args, **kwargs)
        except UnicodeDecodeError:
            return None
        except (redis.RedisError, OSError):
            self._silent_until = monotonic() + PAUSE
            return None


def quick_client(url: str) -> Any:
    """A client that gives up soon: one more try on a broken connection, none on a time-out."""
    return redis.Redis.from_url(
        url,
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        decode_responses=True,
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )


def _parse(text: str | bytes) -> RoutingDocument | None:
    try:
        return RoutingDocument.model_validate_json(text)
    except ValidationError:
        return None


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8", errors="replace")
    except OSError:
        return ""


def _at(text: str) -> float:
    """When a beat was sent; 0 of what is none."""
    try:
        return float(json.loads(text).get("at", 0.0))
    except (ValueError, AttributeError, TypeError):
        return 0.0
