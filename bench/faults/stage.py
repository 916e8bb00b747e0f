"""The stage: all parts started in a folder, joined by links that may fail, and the faults that are played on it."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import redis

from bench.faults.child import ORDER, SEEN
from bench.faults.ledger import Account, LoadLedger, effects
from bench.faults.links import Links, toxiproxy
from bench.faults.load import Feeder
from bench.faults.parts import KafkaVictim, RedisVictim, Victim, child, faketime_library, small_volume
from trials.broker import find_kafka
from trials.system import free_ports
from understudy.errors import UsageError

GATEWAYS = WORKERS = 2
VOLUME = 96 << 20
PAST_LEASE = (3.2, 4.5)
"""Seconds for which a process is stopped: longer than a worker's lease."""
CUT = 2.0
"""Seconds of its log that Redis loses at most."""
HOUR = 3600
Fault = tuple[str, str]
"""What is done, and to whom."""


class FaultStage:
    """Gateways, workers, Redis, and a broker where `bus` is kafka, in `folder`."""

    def __init__(self, folder: Path, bus: str, seed: int) -> None:
        self.folder = folder
        self.chance = random.Random(seed)
        self.skipped: dict[str, str] = {}
        self._library = faketime_library()
        if not self._library:
            self.skipped["clock"] = "libfaketime is not installed (Debian: faketime)"
        self.volume = folder / "volume"
        if why := small_volume(self.volume, VOLUME):
            self.skipped["disk"] = why
        self.redis = RedisVictim(folder, self._library)
        self.links = self._linked()
        ports = free_ports(2)
        self._redis_url = self._through("redis", ports[0], self.redis.server.port)
        self.parts: dict[str, Victim] = {"redis": self.redis}
        bus_url = self._redis_url
        if bus == "kafka":
            bus_url = self._add_broker(folder, ports[1])
        self.ledger = LoadLedger(folder / "ledger.jsonl")
        self.feeders: dict[str, Feeder] = {}
        for number in range(1, GATEWAYS + 1):
            name = f"gateway-{number}"
            part = Victim(name, child("gateway", bus_url, str(self.volume), name), folder, self._library)
            self.feeders[name] = Feeder(part, self.ledger)
            self.parts[name] = part
        for number in range(1, WORKERS + 1):
            name = f"worker-{number}"
            command = child("worker", bus_url, self._redis_url, str(self.volume))
            self.parts[name] = Victim(name, command, folder, self._library)
        self.crashes: list[str] = []

    def start(self) -> None:
        """Start everything, in order."""
        self.redis.start()
        if "broker" in self.parts:
            self.parts["broker"].start()
        for name, part in self.parts.items():
            if name in self.feeders:
                self.feeders[name].start()
            elif name.startswith("worker"):
                part.start()

    def faults(self) -> list[Fault]:
        """Every fault that can be played here."""
        found = [("kill", name) for name in self.parts] + [("stop", name) for name in self.parts]
        found += [("cut", "redis"), ("cut", "redis")]
        if self.links is not None:
            links = ["redis", "broker"] if "broker" in self.parts else ["redis"]
            found += [(kind, name) for kind in ("slow", "broken", "silent") for name in links]
        if "disk" not in self.skipped:
            found.append(("disk", "volume"))
        if "clock" not in self.skipped:
            found += [("clock", name) for name in self.parts if name != "broker"]
        return found

    def play(self, fault: Fault) -> None:
        """Do it, let it last, and mend it."""
        kind, name = fault
        acts: dict[str, Callable[[str], None]] = {
            "kill": self._kill, "stop": self._hang, "cut": self._cut, "disk": self._fill, "clock": self._turn,
            "slow": self._link, "broken": self._link, "silent": self._link,
        }  # fmt: skip
        if kind in ("slow", "broken", "silent") and self.links is not None:
            {"slow": self.links.slow, "broken": self.links.broken, "silent": self.links.silent}[kind](name)
        acts[kind](name)

    def mend(self) -> None:
        """Start again whatever ended by itself, and say so."""
        for name, part in self.parts.items():
            if not part.alive():
                self.crashes.append(name)
                self._start(name)
        self.redis.watch()

    def judge(self) -> Account:
        """What became of the events so far."""
        with redis.Redis.from_url(self.redis.server.url, socket_timeout=60) as client:
            return self.ledger.judge(*effects(client, SEEN, ORDER))

    def lost_counters(self) -> dict[str, int]:
        """What the product itself counted as lost: gateways (since their last start) and workers."""
        with redis.Redis.from_url(self.redis.server.url, socket_timeout=60) as client:
            worker = int(client.hget("us:kpi:counters", "bus.lost") or 0)
        gateway = sum(int(str(feeder.stats.get("lost", 0))) for feeder in self.feeders.values())
        return {"gateway": gateway, "worker": worker}

    def close(self) -> None:
        """End every process and unmount."""
        for feeder in self.feeders.values():
            feeder.stop()
        for part in self.parts.values():
            with contextlib.suppress(OSError):
                part.signal(signal.SIGCONT)
                part.kill()
        if self.links is not None:
            self.links.close()
        self.ledger.close()
        if "disk" not in self.skipped:
            subprocess.run(["umount", "-l", str(self.volume)], check=False)

    def _linked(self) -> Links | None:
        if program := toxiproxy(self.folder / "tools"):
            return Links(program, self.folder / "toxiproxy.log")
        self.skipped["link"] = "no toxiproxy-server on PATH"
        return None

    def _through(self, name: str, port: int, upstream: int) -> str:
        if self.links is not None:
            self.links.add(name, port, upstream)
        return f"redis://127.0.0.1:{port if self.links is not None else upstream}/0"

    def _add_broker(self, folder: Path, port: int) -> str:
        home = find_kafka()
        if home is None:
            raise UsageError("no Kafka to run: set KAFKA_HOME to a distribution (needs Java 17 or later)")
        broker = KafkaVictim(home, folder, advertised=port if self.links is not None else 0)
        if self.links is not None:
            self.links.add("broker", port, broker.broker.port)
        self.parts["broker"] = broker
        return f"kafka://127.0.0.1:{port if self.links is not None else broker.broker.port}"

    def _start(self, name: str) -> None:
        if name in self.feeders:
            self.feeders[name].kill()
            self.feeders[name].restart()
        else:
            self.parts[name].start()

    def _last(self, least: float = 0.2, most: float = 1.5) -> None:
        end = time.monotonic() + self.chance.uniform(least, most)
        while time.monotonic() < end:
            self.redis.watch()
            time.sleep(0.05)

    def _kill(self, name: str) -> None:
        if name in self.feeders:
            self.feeders[name].kill()
        else:
            self.parts[name].kill()
        time.sleep(self.chance.uniform(0, 1.0))
        self._start(name)

    def _hang(self, name: str) -> None:
        self.parts[name].signal(signal.SIGSTOP)
        time.sleep(self.chance.uniform(*PAST_LEASE))
        self.parts[name].signal(signal.SIGCONT)

    def _cut(self, _: str) -> None:
        self.redis.cut(self.chance.uniform(0.2, CUT))
        time.sleep(self.chance.uniform(0, 1.0))
        self.redis.start()

    def _fill(self, _: str) -> None:
        filler = self.volume / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(b"x" * 65_536) == 65_536:
                pass
        self._last(0.5, 2.0)
        filler.unlink(missing_ok=True)

    def _turn(self, name: str) -> None:
        clock = self.parts[name].clock
        clock.write_text(f"{self.chance.choice(('+', '-'))}{HOUR}\n")
        self._last(0.5, 2.0)
        clock.write_text("+0\n")

    def _link(self, name: str) -> None:
        self._last(0.5, 3.0)
        assert self.links is not None
        self.links.heal(name)
