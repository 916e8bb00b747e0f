"""Where the routing document and the beats of slots and gateways live: Redis, with files beside it.

A document is written as files first, then published to Redis; a reader asks Redis and falls back to
`current.json`, then to the newest `epoch-N.json` that can be read, and never returns an epoch below the highest
it has seen. Beats go to both places too, so that on one machine the controller sees its slots while Redis is
gone. All calls are synchronous with short time-outs; asyncio callers use `asyncio.to_thread`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import redis
from pydantic import ValidationError
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploy.routing.document import SLOTS, GatewayBeat, Heartbeat, RoutingDocument
from understudy.clock import Clock, monotonic, wall
from understudy.errors import Conflict, IntegrityError, Unavailable
from understudy.files import write_atomic
from understudy.state import StateDir

log = logging.getLogger("understudy.routing")
Beat = TypeVar("Beat", Heartbeat, GatewayBeat)
TIMEOUT = 0.4
"""Seconds for one Redis call."""
PAUSE = 1.0
"""Seconds without asking Redis after it failed."""
KEPT = 1000
"""Former documents kept as files."""
EXPIRY = 5
"""Seconds that a beat counts; one from further ahead than this counts for nothing: a clock was set back."""

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
        self._unreadable: set[str] = set()

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
            IntegrityError: nobody could read it.
            Unavailable: it cannot be written.
        """
        text = document.model_dump_json()
        if self._parse(text, f"epoch {document.epoch}") is None:
            raise IntegrityError(f"epoch {document.epoch} could not be read back, so the former one stays in force")
        if self._state is not None:
            stored = self._from_file()
            if stored is not None and stored.epoch >= document.epoch:
                raise Conflict(f"epoch {document.epoch} is not above {stored.epoch}: another controller writes")
            try:
                write_atomic(self._state.routing / f"epoch-{document.epoch}.json", text)
                write_atomic(self._state.routing / "current.json", text)
                (self._state.routing / f"epoch-{document.epoch - KEPT}.json").unlink(missing_ok=True)
            except OSError as error:
                why = f"epoch {document.epoch} cannot be written yet, so gateways stay at the former one"
                raise Unavailable(f"{why}: {error.strerror}") from error
        if self._push(document, text, fence) < 0:
            raise Conflict("another controller leads now; this one stops writing")
        self._highest = document

    def refresh(self, fence: int = 0) -> bool:
        """Bring `current.json` and Redis back to the newest document where they lost it; True when Redis holds it.

        For the leader alone.
        """
        known = [document for document in (self._from_file(), self._highest) if document is not None]
        if not known:
            return False
        newest = max(known, key=lambda document: document.epoch)
        self._mend(newest)
        held = self._from_redis()
        if held is not None and held.epoch >= newest.epoch:
            return True
        return self._push(newest, newest.model_dump_json(), fence, again=True) > 0

    def highest_epoch(self) -> int:
        """The highest epoch that anybody has seen, whether or not it can be read; -1 before the first."""
        known = self.read()
        told = str(self._call("get", self._prefix + "routing:epoch"))
        return max(
            -1 if known is None else known.epoch,
            int(told) if told.isdecimal() else -1,
            *self._file_epochs(),
            *(int(beat["epoch"]) for beat in self.gateways()),
            -1,
        )

    def beat(self, heartbeat: Heartbeat) -> None:
        """Report a slot; counts for five seconds."""
        stamped = heartbeat.model_copy(update={"at": self._clock()})
        self._say("slot", heartbeat.slot, stamped.model_dump_json())

    def heartbeats(self) -> dict[str, Heartbeat]:
        """The slots that reported within five seconds, by name."""
        return self._heard("slot", SLOTS, Heartbeat)

    def gateway_beat(self, name: str, epoch: int, url: str) -> None:
        """Report that gateway `name` routes by `epoch`."""
        beat = GatewayBeat(id=name, epoch=epoch, url=url, pid=os.getpid(), at=self._clock())
        self._say("gateway", name, beat.model_dump_json())

    def gateways(self) -> list[dict[str, Any]]:
        """Beats of the gateways that reported within five seconds."""
        heard = self._heard("gateway", self._gateway_names(), GatewayBeat)
        return [beat.model_dump(mode="json") for _, beat in sorted(heard.items())]

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
        return None if text is None else self._parse(text, "Redis")

    def _from_file(self) -> RoutingDocument | None:
        return next((document for document in self._documents() if document is not None), None)

    def _documents(self) -> Iterator[RoutingDocument | None]:
        """`current.json`, then the documents by epoch, highest first; None for what cannot be read."""
        if self._state is None:
            return
        yield self._load(self._state.routing / "current.json")
        for epoch in self._file_epochs():
            yield self._load(self._state.routing / f"epoch-{epoch}.json")

    def _file_epochs(self) -> list[int]:
        """Epochs that files are named after, highest first."""
        if self._state is None:
            return []
        names = [file.stem.removeprefix("epoch-") for file in self._state.routing.glob("epoch-*.json")]
        return sorted((int(name) for name in names if name.isdecimal()), reverse=True)

    def _load(self, path: Path) -> RoutingDocument | None:
        try:
            return self._parse(path.read_bytes(), path.name)
        except OSError:
            return None

    def _parse(self, text: str | bytes, source: str) -> RoutingDocument | None:
        """The document in `text`; None, said once for each source, where that is none."""
        try:
            document = RoutingDocument.model_validate_json(text)
        except ValidationError as error:
            if source not in self._unreadable:
                self._unreadable.add(source)
                first = error.errors(include_input=False)[0]
                where = ".".join(str(part) for part in first["loc"]) or "its text"
                log.error("the routing document of %s cannot be read (%s: %s)", source, where, first["msg"])
            return None
        self._unreadable.discard(source)
        return document

    def _mend(self, newest: RoutingDocument) -> None:
        """Write `current.json` again where it holds less than `newest`."""
        if self._state is None:
            return
        path = self._state.routing / "current.json"
        held = self._load(path)
        if held is None or held.epoch < newest.epoch:
            try:
                write_atomic(path, newest.model_dump_json())
                log.warning("%s holds epoch %d again", path.name, newest.epoch)
            except OSError as error:
                log.error("%s cannot be written: %s", path.name, error.strerror)

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

    def _heard(self, kind: str, names: Sequence[str], model: type[Beat]) -> dict[str, Beat]:
        """Beats by name: Redis lets them expire, files count by their time; the younger one where both have it."""
        beats = [(name, _beat(model, text)) for name, text in self._redis_beats(kind, names).items()]
        if self._state is not None and self._folder(kind).is_dir():
            files = [(file.stem, _beat(model, _read(file))) for file in self._folder(kind).glob("[!.]*.json")]
            beats += [(name, b) for name, b in files if b is not None and abs(self._clock() - b.at) <= EXPIRY]
        newest: dict[str, Beat] = {}
        for name, beat in beats:
            if beat is not None and (name not in newest or beat.at > newest[name].at):
                newest[name] = beat
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


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8", errors="replace")
    except OSError:
        return ""


def _beat(model: type[Beat], text: str) -> Beat | None:
    """The beat in `text`; None of what is none."""
    try:
        return model.model_validate_json(text)
    except ValidationError:
        return None
