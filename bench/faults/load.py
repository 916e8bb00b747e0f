"""The load: events to the gateways, a window of them at a time, each written down before it goes out."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence

from bench.faults.ledger import LoadLedger
from bench.faults.parts import Victim

WINDOW = 16
"""Events that one gateway has at a time."""
SESSIONS = 16
"""Of each gateway."""
PATIENCE = 0.2


class Feeder:
    """Feeds one gateway: what it is granted, in order, whenever the gateway lives."""

    def __init__(self, part: Victim, ledger: LoadLedger) -> None:
        self.part = part
        self._ledger = ledger
        self._granted = 0
        self._sent = 0
        self._out: set[str] = set()
        self._room = threading.Condition()
        self._stop = False
        self.stats: dict[str, object] = {}
        """What the gateway last said of its outbox."""
        self._thread = threading.Thread(target=self._feed, daemon=True)

    def start(self) -> None:
        """Start gateway and feeding."""
        self.restart()
        self._thread.start()

    def restart(self) -> None:
        """Start the gateway (again), and listen to it."""
        self.part.start()
        threading.Thread(target=self._listen, args=(self.part.process,), daemon=True).start()

    def kill(self) -> None:
        """SIGKILL; what it had is unknown from now on."""
        at = time.monotonic()
        self.part.kill()
        with self._room:
            self._ledger.killed(sorted(self._out), at)
            self._out.clear()
            self._room.notify_all()

    def grant(self, events: int) -> None:
        """Let so many more go out."""
        with self._room:
            self._granted += events
            self._room.notify_all()

    @property
    def owed(self) -> int:
        """Events granted that are not out, or not answered."""
        with self._room:
            return self._granted - self._sent + len(self._out)

    def ask(self) -> None:
        """Have the gateway tell its figures."""
        self._write({"stats": True})

    def stop(self) -> None:
        """Feed no more."""
        with self._room:
            self._stop = True
            self._room.notify_all()

    def _feed(self) -> None:
        while True:
            with self._room:
                self._room.wait_for(lambda: self._stop or self._may_send(), PATIENCE)
                if self._stop:
                    return
                if not self._may_send():
                    continue
                number = self._sent = self._sent + 1
                event, session = f"{self.part.name}-{number}", f"{self.part.name}-{number % SESSIONS}"
                self._out.add(event)
            self._ledger.sending(event, session, number)
            if not self._write({"id": event, "session": session, "seq": number}):
                time.sleep(0.01)

    def _may_send(self) -> bool:
        return self._sent < self._granted and len(self._out) < WINDOW and self.part.alive()

    def _write(self, row: dict[str, object]) -> bool:
        process = self.part.process
        try:
            if process is None or process.stdin is None:
                return False
            process.stdin.write(json.dumps(row) + "\n")
            process.stdin.flush()
        except (OSError, ValueError):
            return False
        return True

    def _listen(self, process: object) -> None:
        lines: Sequence[str] = getattr(process, "stdout", ())
        for line in lines:
            if not line.endswith("\n"):
                return
            row = json.loads(line)
            if "id" not in row:
                self.stats = row
                continue
            if "at" in row:
                self._ledger.taken(row["id"], row["at"])
                continue
            self._ledger.answered(row["id"], row["ok"], row["seconds"])
            with self._room:
                self._out.discard(row["id"])
                self._room.notify_all()
