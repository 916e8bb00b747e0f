"""Beats as files, `slots/NAME.json` and `gateways/NAME.json`; they count by the time that stands in them."""

from __future__ import annotations

import os
from pathlib import Path

from deploy.routing.beats import EXPIRY, Beat, parse_beat
from deploy.routing.document import GatewayBeat, Heartbeat
from understudy.clock import Clock, wall
from understudy.files import FULL


class FileBeats:
    """`BeatStore` in a folder."""

    def __init__(self, folder: Path, clock: Clock = wall) -> None:
        self._slots = folder / "slots"
        self._gateways = folder / "gateways"
        self._clock = clock

    @property
    def answers(self) -> bool:
        """Files are always there."""
        return True

    def report_slot(self, beat: Heartbeat) -> None:
        """See `BeatStore`."""
        _write(self._slots, beat.slot, beat.model_dump_json())

    def report_gateway(self, beat: GatewayBeat) -> None:
        """See `BeatStore`."""
        _write(self._gateways, beat.id, beat.model_dump_json())

    def slots(self) -> dict[str, Heartbeat]:
        """See `BeatStore`."""
        return self._heard(self._slots, Heartbeat)

    def gateways(self) -> dict[str, GatewayBeat]:
        """See `BeatStore`."""
        return self._heard(self._gateways, GatewayBeat)

    def forget_gateway(self, name: str) -> None:
        """See `BeatStore`."""
        (self._gateways / f"{name}.json").unlink(missing_ok=True)

    def _heard(self, folder: Path, model: type[Beat]) -> dict[str, Beat]:
        beats = {file.stem: parse_beat(model, _read(file)) for file in folder.glob("[!.]*.json")}
        now = self._clock()
        return {name: beat for name, beat in beats.items() if beat is not None and abs(now - beat.at) <= EXPIRY}


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
