"""Dead letters of a bus: listed, shown whole, and put back so that each has its effects once.

A letter goes back as number 1 of a spool of its own, `letter:ID`. Both the bus and the worker ignore numbers that
they have, so it counts once however often it is put back, by whomever, and whatever is killed meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from feedback.bus.protocol import Bus, Numbered, partition_of
from feedback.dead.letter import DeadLetter, join, read
from feedback.events import DEAD_LETTER, TOPICS
from feedback.store.connection import Client, redis_errors
from feedback.store.keys import RedisKeys
from understudy.clock import monotonic
from understudy.errors import BadRequest, NotFound, Unavailable

PAGE = 200
MOST = 10_000
"""Letters of a topic that are looked at; the oldest first."""
PATIENCE = 20.0
"""Seconds for reading them."""
SILENCE = 3.0
"""Seconds without a message after which a partition is taken to have no more: the bus dropped some meanwhile."""
LetterState = Literal["waiting", "replayed", "incomplete"]


@dataclass(frozen=True, slots=True)
class FoundLetter:
    """A letter, its bytes left out, and what became of it."""

    letter: DeadLetter
    state: LetterState


@dataclass(slots=True)
class Replayed:
    """Ids of letters that were put back, that had been before, and that could not be, with why."""

    done: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def topic_named(name: str) -> str:
    """The topic that `name` means: with or without `understudy.` and `.dlt`.

    Raises:
        NotFound: there is none of that name.
    """
    plain = name.removesuffix(DEAD_LETTER)
    for topic in TOPICS:
        if plain in (topic, topic.removeprefix("understudy.")):
            return topic
    raise NotFound(f"there is no topic {name!r}; use one of {', '.join(TOPICS)}", param="topic")


class DeadLetters:
    """The letters of one bus. Every method blocks and raises Unavailable while the bus or Redis is away."""

    def __init__(self, bus: Bus, client: Client, prefix: str = "us:") -> None:
        self._bus = bus
        self._redis = client
        self._keys = RedisKeys(prefix)

    def listed(self, topic: str) -> list[FoundLetter]:
        """Every letter of `topic`, oldest first."""
        parts = self._parts(topic)
        with redis_errors():
            replayed = {name.decode() for name in self._redis.hkeys(self._keys.replayed)}
        return [FoundLetter(group[0], _state(group, replayed)) for group in parts.values()]

    def show(self, topic: str, identity: str) -> DeadLetter:
        """The letter whose id begins with `identity`, whole.

        Raises:
            NotFound: there is none, or more than one.
            BadRequest: some of its parts are gone.
        """
        parts = self._parts(topic)
        found = [one for one in parts if one.startswith(identity)]
        if len(found) != 1:
            what = "no letter begins" if not found else f"{len(found)} letters begin"
            raise NotFound(
                f"in {topic} {what} with {identity!r}; `understudy dead list {topic}` lists them", param="id"
            )
        return join(parts[found[0]])

    def replay(self, topic: str, identities: Sequence[str] = ()) -> Replayed:
        """Put the letters named, or all, back into `topic`; a letter put back before changes nothing.

        Raises:
            NotFound: one of those named is not there; then none is put back.
        """
        parts = self._parts(topic)
        wanted = [self._full(parts, topic, one) for one in identities] or list(parts)
        done = Replayed()
        for identity in wanted:
            with redis_errors():
                known = self._redis.hexists(self._keys.replayed, identity)
            if known:
                done.before.append(identity)
                continue
            try:
                self._put_back(join(parts[identity]))
            except (BadRequest, Unavailable) as error:
                done.failed[identity] = error.message
            else:
                done.done.append(identity)
        return done

    def _full(self, parts: dict[str, list[DeadLetter]], topic: str, identity: str) -> str:
        found = [one for one in parts if one.startswith(identity)]
        if len(found) != 1:
            raise NotFound(f"{topic} has {len(found)} letters that begin with {identity!r}", param="id")
        return found[0]

    def _put_back(self, letter: DeadLetter) -> None:
        part = partition_of(letter.session, self._bus.partitions)
        event = Numbered(1, letter.session, letter.content)
        answer = self._bus.publish(letter.topic, part, f"letter:{letter.id}", [event])
        if answer.highest < 1:
            raise Unavailable(f"{letter.topic} is {answer.state}; try again when its workers have caught up")
        with redis_errors():
            self._redis.hset(self._keys.replayed, letter.id, f"{time.time():.3f}")

    def _parts(self, topic: str) -> dict[str, list[DeadLetter]]:
        """The parts of each letter, in the order in which the letters came."""
        found: dict[str, list[DeadLetter]] = {}
        for part in self._messages(topic + DEAD_LETTER):
            found.setdefault(part.id, []).append(part)
        return dict(sorted(found.items(), key=lambda item: item[1][0].at))

    def _messages(self, topic: str) -> Iterator[DeadLetter]:
        end, left = monotonic() + PATIENCE, MOST
        for partition in range(self._bus.partitions):
            # Both kinds of bus know how many there are; only one of them knows at once that there are no more.
            count, after, progress = self._bus.lag(topic, partition, ""), "", monotonic()
            while min(count, left) > 0 and monotonic() - progress < SILENCE:
                if monotonic() > end:
                    raise Unavailable(f"{topic} could not be read within {PATIENCE:g} s; try again")
                events = self._bus.read(topic, partition, after, min(PAGE, count, left))
                if events:
                    after, progress = events[-1].position, monotonic()
                    count, left = count - len(events), left - len(events)
                    yield from _letters(event.value for event in events)


def _letters(messages: Iterable[bytes]) -> Iterator[DeadLetter]:
    for message in messages:
        letter = read(message)
        if letter is not None:
            yield letter


def _state(group: list[DeadLetter], replayed: set[str]) -> LetterState:
    if group[0].id in replayed:
        return "replayed"
    return "waiting" if {part.part for part in group} >= set(range(1, group[0].parts + 1)) else "incomplete"
