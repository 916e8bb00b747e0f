"""Forks members of a crew, forks those anew that die or hang, and stops all when it is told to.

No thread and no event loop, so that a fork takes nothing along that would hang in it. `serving.up.supervise` starts
programs, which takes the second or two of their imports; a fork takes milliseconds and shares what was imported.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from serving.crew.pulse import Pulse
from serving.up.supervise.restarts import Life, Policy, RoleEvent
from understudy.clock import Clock, monotonic
from understudy.errors import UnderstudyError
from understudy.process.lifeline import die_with_parent

log = logging.getLogger("understudy.crew")

WATCHED = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
FAILED = 1
LOOK_SECONDS = 1.0
"""Between two looks at members' beats."""
Ending = Literal["stopped", "ended", "killed", "hung"]
"""How a member came to its end: told to, by itself, by a signal of others, or by ours because it hung."""


@dataclass(frozen=True, slots=True)
class Member:
    """One process: `run` gives its exit code. SIGTERM, of which it may get several, ends it in order, after those of
    every lower `wave` are gone; SIGQUIT at once."""

    name: str
    run: Callable[[], int]
    wave: int = 0
    gone: Callable[[Ending], None] = lambda how: None
    """Called by the keeper when the process has ended, before it is forked anew."""
    beats: Callable[[], int] | None = None
    """A number that changes each second or so once the process is at work; None: nobody watches whether it hangs."""


class Keeper:
    """Keeps `members` alive until SIGTERM or SIGINT, then gives each wave `seconds` to end.

    `works` says whether any member has begun to work. Until then one that ends by itself with a code ends all: it will
    not do better the next time. One that has begun and then shows no beat for `patience` looks in a row is killed, and
    one that shows none at all for `beginning`.
    """

    def __init__(
        self, members: Sequence[Member], policy: Policy, seconds: float, works: Callable[[], bool],
        patience: int = 20, beginning: int = 120, clock: Clock = monotonic,
    ) -> None:  # fmt: skip
        self._members = {member.name: member for member in members}
        self._policy = policy
        self._seconds = seconds
        self._works = works
        self._patience, self._beginning = patience, beginning
        self._clock = clock
        self._pulses: dict[str, Pulse] = {}
        """Of those that are watched."""
        self._look = clock() + LOOK_SECONDS
        """When their beats are looked at again."""
        self._lives = {member.name: Life() for member in members}
        self._pids: dict[str, int] = {}
        self._proven = False
        self._stopping = False
        self._late = 0.0
        """When those that are stopping are killed."""
        self._code = 0

    def run(self) -> int:
        """Fork all and stay until all have ended; returns the exit code. Call from the main thread only."""
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        for name in self._members:
            self._fork(name, "start")
        while any(life.state != "stopped" for life in self._lives.values()):
            self._hear()
            self._reap()
            self._watch()
            self._advance()
            self._revive()
            self._press()
        return self._code

    def _hear(self) -> None:
        """Wait for a signal, or until something is due."""
        due = [life.due for life in self._lives.values() if life.state == "backing_off"]
        if self._stopping:
            due.append(self._late)
        elif self._pulses:
            due.append(self._look)
        until = min(due, default=self._clock() + 60)
        found = signal.sigtimedwait(WATCHED, max(0.0, until - self._clock()))
        if found is not None and found.si_signo != signal.SIGCHLD:
            self._stop()

    def _stop(self) -> None:
        """Stop the lowest wave that is not gone; asked a second time, at once."""
        left = [name for name, life in self._lives.items() if life.state != "stopped"]
        wave = min((self._members[name].wave for name in left), default=0)
        self._stopping = True
        self._late = self._clock() + self._seconds
        for name in left:
            if self._members[name].wave == wave:
                number = signal.SIGQUIT if self._lives[name].state == "stopping" else signal.SIGTERM
                log.info("%s is told to stop (%s)", name, number.name)
                self._send(name, number)
                self._take(name, "stop")

    def _advance(self) -> None:
        """Go on to the next wave once this one is gone."""
        while self._stopping:
            states = {life.state for life in self._lives.values()}
            if "stopping" in states or states == {"stopped"}:
                return
            self._stop()

    def _reap(self) -> None:
        for name, pid in list(self._pids.items()):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                self._ended(name, os.waitstatus_to_exitcode(status))

    def _watch(self) -> None:
        """Kill those that hang: they hold their clients, and new connections, for good."""
        if self._stopping or self._clock() < self._look:
            return
        self._look = self._clock() + LOOK_SECONDS
        for name, pulse in self._pulses.items():
            beats = self._members[name].beats
            if name not in self._pids or beats is None:
                continue
            self._pulses[name] = now = pulse.after(beats())
            if now.lost(self._patience, self._beginning) and not pulse.lost(self._patience, self._beginning):
                log.error("%s has shown no sign of life for %.0f s: killed", name, now.missed * LOOK_SECONDS)
                self._send(name, signal.SIGKILL)

    def _ended(self, name: str, code: int) -> None:
        del self._pids[name]
        self._members[name].gone(self._how(name, code))
        self._take(name, "exited")
        life = self._lives[name]
        if self._stopping:
            return
        self._proven = self._proven or self._works()
        if code > 0 and not self._proven:
            self._code = code
            self._stop()
            return
        how = f"was killed (signal {-code})" if code < 0 else f"ended with code {code}"
        log.warning("%s %s, starts again in %.1f s", name, how, life.due - self._clock())

    def _how(self, name: str, code: int) -> Ending:
        pulse = self._pulses.pop(name, None)
        if self._stopping:
            return "stopped"
        if pulse is not None and pulse.lost(self._patience, self._beginning):
            return "hung"
        return "killed" if code < 0 else "ended"

    def _revive(self) -> None:
        for name, life in self._lives.items():
            if life.state == "backing_off" and life.due <= self._clock() and not self._stopping:
                self._fork(name, "due")
                log.info("%s runs again", name)

    def _press(self) -> None:
        """Kill what does not end."""
        if self._stopping and self._clock() >= self._late:
            self._late = self._clock() + self._seconds
            for name in self._pids:
                if self._lives[name].state == "stopping":
                    log.error("%s does not end: killed", name)
                    self._send(name, signal.SIGKILL)

    def _send(self, name: str, number: signal.Signals) -> None:
        if name in self._pids:  # which is waited for by nobody else, so that the number is still its own
            os.kill(self._pids[name], number)

    def _take(self, name: str, event: RoleEvent) -> None:
        self._lives[name] = self._lives[name].after(event, self._clock(), self._policy)

    def _fork(self, name: str, event: RoleEvent) -> None:
        self._take(name, event)
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            log.error("cannot fork %s: %s", name, error)
            self._take(name, "exited")
            return
        if pid:
            self._pids[name] = pid
            if (beats := self._members[name].beats) is not None:
                self._pulses[name] = Pulse(beats())
            return
        os._exit(_life_of(self._members[name], parent))


def _life_of(member: Member, parent: int) -> int:
    """What a forked process does, whatever happens; its exit code."""
    code = FAILED
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all: the keeper passes it on, in order
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
        die_with_parent(parent)  # at once: a spool that it held on to would be missing to the next keeper's
        code = member.run()
    except UnderstudyError as error:
        print(f"understudy: {error.message}", file=sys.stderr)
        code = error.exit_code
    except BaseException:
        log.exception("%s failed", member.name)
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return code
