"""Whether a process still does anything: its beats, looked at each second or so. No I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pulse:
    """Beats as they were at the last look, and how many looks in a row have found no other.

    Looks are counted, not seconds: where nothing on a machine gets on, whoever looks does not either.
    """

    beats: int
    begun: bool = False
    missed: int = 0

    def after(self, beats: int) -> Pulse:
        """The pulse after a look that found `beats`."""
        if beats == self.beats:
            return Pulse(beats, self.begun, self.missed + 1)
        return Pulse(beats, begun=True)

    def lost(self, patience: int, beginning: int) -> bool:
        """Whether it hangs: without another beat for `patience` looks, or without its first for `beginning`."""
        return self.missed >= (patience if self.begun else beginning)
