"""Dead letters at the control plane: listed, shown, put back. The bus is opened for each answer and closed after it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from feedback.bus.protocol import Bus
from feedback.dead.box import DeadLetters, topic_named
from feedback.store.connection import Client
from serving.control.replies.dead import LetterReply, LetterRow, LettersReplayedReply, LettersReply


class Dead:
    """`open_bus` makes a bus to read and write; `client` knows what was put back."""

    def __init__(self, open_bus: Callable[[], Bus], client: Client, prefix: str) -> None:
        self._open = open_bus
        self._redis = client
        self._prefix = prefix

    def listed(self, name: str) -> LettersReply:
        """The letters of the topic `name`.

        Raises:
            NotFound: there is no such topic.
            Unavailable: bus or Redis is away.
        """
        topic = topic_named(name)
        with self._box() as box:
            found = box.listed(topic)
        rows = [
            LetterRow(
                id=one.letter.id, at=one.letter.at, session=one.letter.session, error=one.letter.error,
                parts=one.letter.parts, state=one.state,
            )
            for one in found
        ]  # fmt: skip
        return LettersReply(topic=topic, letters=rows)

    def show(self, name: str, identity: str) -> LetterReply:
        """One whole letter, by the beginning of its id.

        Raises:
            NotFound: there is none, or more than one.
            BadRequest: some of its parts are gone.
        """
        topic = topic_named(name)
        with self._box() as box:
            letter = box.show(topic, identity)
        try:
            text = letter.content.decode()
        except UnicodeDecodeError:
            text = None
        return LetterReply(
            topic=topic, id=letter.id, at=letter.at, session=letter.session, spool=letter.spool, number=letter.number,
            position=letter.position, error=letter.error, text=text, base64=base64.b64encode(letter.content).decode(),
        )  # fmt: skip

    def replay(self, name: str, identities: Sequence[str]) -> LettersReplayedReply:
        """Put letters back, all of them where none is named.

        Raises:
            NotFound: one of those named is not there; then none is put back.
        """
        topic = topic_named(name)
        with self._box() as box:
            done = box.replay(topic, identities)
        return LettersReplayedReply(topic=topic, replayed=done.done, before=done.before, failed=done.failed)

    @contextmanager
    def _box(self) -> Iterator[DeadLetters]:
        bus = self._open()
        try:
            yield DeadLetters(bus, self._redis, self._prefix)
        finally:
            bus.close()
