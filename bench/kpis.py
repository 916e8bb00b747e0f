"""What one event costs the worker's Redis: time of the call that applies it, and bytes that stay.

The time is the processor's, of Redis alone: what else the machine does, and the worker's Python, are not in it.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ab.experiment import Experiment
from bench.options import parser
from feedback.events import Exchange, Kpi
from feedback.kpis.config import KpisConfig
from feedback.kpis.effects import exchange_effects, feedback_effects, settings
from feedback.kpis.figures import product
from feedback.kpis.ratios import products, ratios
from feedback.kpis.store import KpiStore
from feedback.store.connection import Client, connect
from feedback.store.keys import RedisKeys
from feedback.store.scripts import ROWS, source
from feedback.store.server import RedisServer
from serving.control.results import results
from understudy.files import write_json

KEYS = RedisKeys()
FILE = Experiment.model_validate({
    "id": "e", "arms": {"teacher": 0.5, "student": 0.5}, "primary": {"kpi": "click"},
    "guardrails": [{"kpi": "abnormal_termination", "max_increase": 0.01}],
})  # fmt: skip
HOURS = 48
"""Over which first exposures are spread, so over how many cohorts."""
T = TypeVar("T")


def main(argv: list[str]) -> int:
    """Measure, print and perhaps keep the result."""
    made = parser("kpis", __doc__, "2,000 exchanges")
    made.add_argument("--events", type=int, default=20_000, help="exchanges, a third of them with feedback")
    made.add_argument("--users", type=int, help="read the sums of an experiment of so many users instead")
    made.add_argument("--days", type=int, default=90, help="over which these came, in hourly cohorts of two arms")
    options = made.parse_args(argv)
    count = 2000 if options.quick else options.events
    found = read(options.users, options.days) if options.users else measure(count)
    for name, value in found.items():
        print(f"{name:<24}{value:,}")
    if options.json:
        write_json(options.json, found)
    return 0


def measure(count: int) -> dict[str, Any]:
    """Microseconds an event, alone and in batches of 64, and bytes an exchange, after `count` of them."""
    with tempfile.TemporaryDirectory(prefix="understudy-bench-") as folder:
        server = RedisServer(Path(folder), durable=False)
        server.start()
        try:
            client = connect(server.url)
            empty = client.info("memory")["used_memory"]
            events = [command for n in range(count) for command in _event(n, random.Random(n))]
            many = _apply(client, events, 64)
            alone = _apply(client, [one for n in range(count, count + 200) for one in _event(n, random.Random(n))], 1)
            held = client.info("memory")["used_memory"] - empty
        finally:
            server.stop()
    return {
        "exchanges": count, "us_an_event_of_64": many, "us_an_event_alone": alone,
        "bytes_an_exchange": round(held / (count + 200)),
    }  # fmt: skip


def read(users: int, days: int) -> dict[str, Any]:
    """Seconds in which what `experiment results` stands on is read, and then judged: an experiment in five phases."""
    cells = sorted({cell for one in ratios(KpisConfig()).values() for cell in (one.above, one.below) if cell})
    wanted = products(ratios(KpisConfig()).values())
    each = users / (days * 24 * 2)
    fields = dict.fromkeys(cells, each) | {f"{cell}#": round(each) for cell in cells}
    fields |= {product(a, b): each for a, b in wanted} | {"users": round(each)}
    with tempfile.TemporaryDirectory(prefix="understudy-bench-") as folder:
        server = RedisServer(Path(folder), durable=False)
        server.start()
        try:
            client = connect(server.url, 30)
            for hour in range(days * 24):
                pipe = client.pipeline(transaction=False)
                for arm in ("teacher", "student"):
                    name = f"experiment:e:{arm}:{1 + 5 * hour // (days * 24)}:{hour}"
                    pipe.hset(KEYS.cohorts, name, 1)
                    pipe.hset(KEYS.users + name, mapping=fields)
                pipe.execute()
            store, used = KpiStore(client), _cpu(client)
            took, found = _timed(lambda: store.arms("e"))
            used = _cpu(client) - used
        finally:
            server.stop()
    judged, _ = _timed(lambda: results(FILE, "active", found, {}, ratios(KpisConfig()), {}, days * 86_400.0))
    held = [sums for arms in found.values() for hours in arms.values() for sums in hours.values()]
    return {
        "users": round(sum(sums["users"] for sums in held)), "cohorts": len(held), "sums_a_cohort": len(fields),
        "seconds_to_read": round(took[0], 3), "seconds_to_judge": round(judged[0], 3),
        "of_processors_to_read": round(took[1] + used, 3), "of_processors_to_judge": round(judged[1], 3),
    }  # fmt: skip


def _timed(work: Callable[[], T]) -> tuple[tuple[float, float], T]:
    """Seconds by the clock and of this process' processor, and what came of it."""
    began, spent = time.perf_counter(), time.process_time()
    found = work()
    return (time.perf_counter() - began, time.process_time() - spent), found


def _event(n: int, chance: random.Random) -> list[list[list[Any]]]:
    """The commands of an exchange of one of 5,000 users, four to a session, and of what is said of every third."""
    at = time.time() - chance.random() * 3600 * HOURS
    given = Exchange(
        id=f"e{n}", session=f"s{n // 4}", at=at, unit=f"u{chance.randrange(5000)}", messages=[], reply="",
        arm=chance.choice(("teacher", "student")), version=chance.choice(("t1", "v1")), epoch=1,
        experiment=chance.choice((None, "exp")), response_id=f"r{n}", seconds=chance.expovariate(1.0), ttft=0.1,
    )  # fmt: skip
    commands = [exchange_effects(KEYS, given)]
    if n % 3 == 0:
        said = Kpi(id=f"k{n}", session="s", at=at, kpi="rating", value=4.0, target=f"r{n}")
        commands.append(feedback_effects(KEYS, said))
    return commands


def _apply(client: Client, events: list[list[list[Any]]], batch: int) -> float:
    script = client.register_script(source(*ROWS, "targets", "effects"))
    client.set("lease", "owner")
    told = settings(KEYS, KpisConfig())
    after = (client.hget(KEYS.cursors, "t:0") or b"").decode()
    before = _cpu(client)
    for at in range(0, len(events), batch):
        rows = [[str(at), "", 0, commands] for commands in events[at : at + batch]]
        applied, faulty, why = script(
            ["lease", KEYS.cursors, "applied", KEYS.counters], ["owner", "t:0", json.dumps([after, rows]), told]
        )
        if faulty or applied != len(rows):
            raise RuntimeError(f"an event could not be applied: {why}")
        after = str(at)
    return round((_cpu(client) - before) / len(events) * 1e6, 1)


def _cpu(client: Client) -> float:
    """Seconds of processor that Redis has used."""
    told = client.info("cpu")
    return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])
