"""Beats as files, `slots/NAME.json` and `gateways/NAME.json`, which count by the clock that no setting moves.

Processes of one machine share it. A beat of another machine, in a state directory that several mount, counts for as
long as the reader's own clock says since it saw the file change; at first sight there is only the wall clock to ask.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.routing.beats import EXPIRY, Beat, parse_beat
from deploy.routing.document import GatewayBeat, Heartbeat
from understudy.clock import Clock, boot_id, boottime, wall
from understudy.files import FULL


class BeatStamp(BaseModel):
    """Beside a beat in its file: its writer's `boottime`, in seconds, and the boot that this counts from."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    boot: str = ""
    boottime: float = 0.0


class FileBeats:
    """`BeatStore` in a folder."""

    def __init__(
        self, folder: Path, clock: Clock = wall, passed: Clock = boottime, boot: Callable[[], str] = boot_id
    ) -> None:
        self._slots = folder / "slots"
        self._gateways = folder / "gateways"
        self._clock = clock
        self._passed = passed
        self._boot = boot()
        self._looks: dict[Path, _Look] = {}

    @property
    def answers(self) -> bool:
        """Files are always there."""
        return True

    def report_slot(self, beat: Heartbeat) -> None:
        """See `BeatStore`."""
        _write(self._slots, beat.slot, self._stamped(beat))

    def report_gateway(self, beat: GatewayBeat) -> None:
        """See `BeatStore`."""
        _write(self._gateways, beat.id, self._stamped(beat))

    def slots(self) -> dict[str, Heartbeat]:
        """See `BeatStore`."""
        return self._heard(self._slots, Heartbeat)

    def gateways(self) -> dict[str, GatewayBeat]:
        """See `BeatStore`."""
        return self._heard(self._gateways, GatewayBeat)

    def forget_gateway(self, name: str) -> None:
        """See `BeatStore`."""
        (self._gateways / f"{name}.json").unlink(missing_ok=True)

    def _stamped(self, beat: Heartbeat | GatewayBeat) -> str:
        stamp = BeatStamp(boot=self._boot, boottime=self._passed())
        return json.dumps({**beat.model_dump(mode="json"), **stamp.model_dump()}, ensure_ascii=False)

    def _heard(self, folder: Path, model: type[Beat]) -> dict[str, Beat]:
        before, look = self._looks.get(folder), _Look(self._passed())
        recent = before is not None and look.at - before.at <= EXPIRY  # what changed since an older one may be old too
        known = before.files if before is not None and recent else {}
        self._looks[folder] = look
        found = {}
        for file in folder.glob("[!.]*.json"):
            text = _read(file)
            beat = parse_beat(model, text)
            if beat is None:
                continue
            born = self._born(beat, text, look.at, known.get(file.stem))
            look.files[file.stem] = (text, born)
            if abs(look.at - born) <= EXPIRY:
                found[file.stem] = beat
        return found

    def _born(self, beat: Heartbeat | GatewayBeat, text: str, now: float, known: tuple[str, float] | None) -> float:
        """When the beat in `text` was written, by `passed`; `known` is what was found at the look before."""
        stamp = _stamp(text)
        if self._boot and stamp.boot == self._boot:
            return stamp.boottime
        if known is not None:
            return known[1] if known[0] == text else now
        return now - abs(self._clock() - beat.at)


class _Look:
    """A look at a folder: when, by `passed`, and {name: (text, when it was written)}."""

    def __init__(self, at: float) -> None:
        self.at = at
        self.files: dict[str, tuple[str, float]] = {}


def _stamp(text: str) -> BeatStamp:
    try:
        return BeatStamp.model_validate_json(text)
    except ValidationError:
        return BeatStamp()


def _write(folder: Path, name: str, text: str) -> None:
    """Swapped in whole, and not durable: a beat is old after five seconds. On a full disk over the one before it."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{name}.{os.getpid()}"
    try:
        draft.write_text(text, "utf-8")
        os.replace(draft, folder / f"{name}.json")
    except OSError as error:
        draft.unlink(missing_ok=True)
        if error.errno not in FULL:
            raise
        _overwrite(folder / f"{name}.json", text.encode())


def _overwrite(path: Path, data: bytes) -> None:
    """Write into the blocks that the file has; what is longer than they are is refused as before."""
    with path.open("r+b") as file:
        room = os.fstat(file.fileno()).st_size
        file.write(data.ljust(room))


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8", errors="replace")
    except OSError:
        return ""
