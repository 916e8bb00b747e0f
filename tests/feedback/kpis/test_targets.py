"""What feedback counts for: where it went is remembered, the latest statement stands, memory is bounded and shown."""

from __future__ import annotations

import itertools
import time

import pytest

from feedback.events import Kpi
from feedback.kpis.config import KpisConfig
from feedback.kpis.effects import exchange_effects, feedback_effects
from tests.feedback.applying import KEYS, Applier, feedback
from tests.feedback.factory import exchange

NOW = time.time()
DAY = 86_400


def ratings(applier: Applier) -> dict[str, tuple[float, float]]:
    """{version: (n, mean)} of single values, where there are any."""
    return {
        version: (kpis["rating"]["n"], kpis["rating"]["mean"])
        for version, kpis in applier.kpis.by("version").items()
        if "rating" in kpis
    }


def rows(applier: Applier) -> dict[str, tuple[float, float]]:
    """The same of the users' rows."""
    found = {}
    for version, parts in applier.kpis.cohorts("version").items():
        n, s = (sum(part.get(f"rating.{cell}", 0.0) for part in parts.values()) for cell in "ns")
        if n or s:
            found[version] = (n, s / n if n else s)
    return found


def test_an_exchange_that_comes_again_counts_nowhere_and_holds_up_nothing_behind_it(redis_url: str) -> None:
    once, twice = (
        Applier(redis_url),
        [exchange(n, session="s", experiment="a", at=NOW - 50 + n) for n in (1, 2, 1, 3, 2)],
    )
    once.events(twice[:1] + twice[1:2] + twice[3:4])
    wanted = stored(once)
    once.client.flushall()
    again = Applier(redis_url)
    for batch in (twice[:3], twice[3:]):
        again.events(batch)
    assert again.kpis.counters()["exchanges_repeated"] == 2
    again.client.hdel(KEYS.counters, "exchanges_repeated")
    assert stored(again) == wanted
    assert again.kpis.exposures("a")["teacher"]["exposures"] == 3


def stored(applier: Applier) -> dict[bytes, dict[bytes, bytes]]:
    """All sums, rows, sketches and targets."""
    found = {key: applier.client.hgetall(key) for key in applier.client.scan_iter("us:kpi:*", _type="hash")}
    return {key: value for key, value in found.items() if value}


def test_feedback_on_a_session_that_changed_its_version_counts_where_the_session_began(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.events([exchange(1, session="s", version="v1", at=NOW - 50)])
    applier.events([feedback(1, 4.0, "session:s", at=NOW - 40)])
    applier.events([exchange(2, session="s", version="v2", unit="u1", at=NOW - 30)])
    applier.events([feedback(2, 2.0, "session:s", at=NOW - 20)])
    assert ratings(applier) == rows(applier) == {"v1": (1, 2.0)}


def test_feedback_moves_with_its_session_when_an_earlier_request_arrives_later(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.events([exchange(2, session="s", version="v2", at=NOW - 30), feedback(1, 4.0, "session:s", at=NOW - 20)])
    assert ratings(applier) == rows(applier) == {"v2": (1, 4.0)}
    applier.events([exchange(1, session="s", version="v1", at=NOW - 50)])
    assert ratings(applier) == rows(applier) == {"v1": (1, 4.0)}
    sums = applier.kpis.by("version")["v2"]
    assert "rating" not in sums


@pytest.mark.parametrize("order", itertools.permutations(range(4)))
def test_a_retry_changes_nothing_and_the_latest_timestamp_stands_in_any_order(
    redis_url: str, order: tuple[int, ...]
) -> None:
    said = [
        feedback(0, 1.0, "resp-1", at=NOW - 30, id="a"), feedback(0, 1.0, "resp-1", at=NOW - 30, id="a"),
        feedback(0, 5.0, "resp-1", at=NOW - 20, id="b"), exchange(1, version="v1", at=NOW - 40),
    ]  # fmt: skip
    applier = Applier(redis_url)
    applier.events([said[n] for n in order], batch=1)
    assert ratings(applier) == rows(applier) == {"v1": (1, 5.0)}
    assert applier.kpis.counters()["feedback_repeated"] == 1


def test_a_retry_whose_time_the_gateway_made_anew_is_still_a_retry(redis_url: str) -> None:
    applier = Applier(redis_url)
    first, second = feedback(0, 1.0, "resp-1", at=NOW - 30, id="a"), feedback(0, 5.0, "resp-1", at=NOW - 20, id="b")
    again = first.model_copy(update={"at": NOW - 10})
    applier.events([exchange(1, version="v1"), first, second, again])
    assert ratings(applier) == {"v1": (1, 5.0)}


def test_what_was_said_before_its_reply_counts_with_it_and_gives_its_bytes_back(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.events([feedback(1, 4.0, "resp-1", at=NOW - 20)])
    assert applier.kpis.held()["early"] > 0
    applier.events([exchange(1, session="s", version="v1", at=NOW - 50)])
    assert (ratings(applier), applier.kpis.held()["early"]) == ({"v1": (1, 4.0)}, 0)


def test_one_id_may_tell_two_kpis_and_two_targets(redis_url: str) -> None:
    applier = Applier(redis_url)
    said = [feedback(0, 1.0, f"resp-{n}", kpi=kpi, at=NOW, id="same") for n in (1, 2) for kpi in ("rating", "click")]
    applier.events([exchange(1), exchange(2), *said])
    assert {kpi: row["n"] for kpi, row in applier.kpis.by("arm")["teacher"].items() if kpi in ("rating", "click")} == {
        "rating": 2, "click": 2,
    }  # fmt: skip


def test_ids_of_a_target_are_bounded_and_those_forgotten_counted(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.events([exchange(1), *(feedback(n, 1.0, "resp-1", at=NOW + n) for n in range(40))])
    assert applier.kpis.counters()["feedback_ids_forgotten"] == 8
    assert ratings(applier)["t1"] == (1, 1.0)


@pytest.mark.parametrize(("days", "joined"), [(2.9, True), (29.9, True), (30.1, False), (45, False)])
def test_a_response_and_a_session_are_remembered_for_thirty_days(redis_url: str, days: float, joined: bool) -> None:
    applier = Applier(redis_url)
    applier.events([exchange(1, session="s", version="v1", at=NOW - days * DAY)])
    applier.events([feedback(1, 2.0, "resp-1", at=NOW), feedback(2, 4.0, "session:s", at=NOW)])
    assert ratings(applier) == ({"v1": (2, 3.0)} if joined else {})


def test_a_session_is_remembered_from_its_latest_request(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.events([exchange(n, session="s", at=NOW - days * DAY) for n, days in ((1, 29), (2, 15), (3, 1))])
    assert len(applier.client.hkeys("us:kpi:days")) == 1
    held = sum(applier.client.hlen(key) for key in applier.client.scan_iter("us:kpi:targets:*"))
    assert held == 4  # three responses and one session
    applier.events([feedback(1, 4.0, "session:s", at=NOW)])
    assert ratings(applier)["t1"] == (1, 4.0)


@pytest.mark.parametrize("ahead", [31 * DAY, -31 * DAY])
def test_a_clock_that_is_a_month_off_forgets_nothing(redis_url: str, ahead: float) -> None:
    applier = Applier(redis_url)
    applier.events([exchange(n) for n in range(20)])
    applier.events([exchange(20, at=NOW + ahead)])
    applier.events([feedback(1, 1.0, "resp-99", at=NOW + ahead)])
    applier.events([feedback(n, 3.0, f"resp-{n}", at=NOW) for n in range(20)])
    assert ratings(applier)["t1"] == (20, 3.0)
    assert "targets_dropped" not in applier.kpis.counters()
    days = [int(day) for text in applier.client.hvals("us:kpi:days") for day in text.split()]
    assert max(days) <= time.time() // DAY


def test_days_that_are_over_are_forgotten_and_give_their_bytes_back(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.events([exchange(1, at=NOW - 29 * DAY), exchange(2, at=NOW - 1 * DAY)])
    applier.client.hset("us:kpi:bytes", "targets:swept", 0)
    before = applier.kpis.held()["targets"]
    applier.config = KpisConfig(late_days=7)
    applier.events([exchange(3, at=NOW)])
    assert applier.client.hget("us:kpi:days", "targetsdefault").split() == [
        str(int((NOW - days * DAY) // DAY)).encode() for days in (1, 0)
    ]
    assert applier.kpis.held()["targets"] == before
    assert "targets_dropped" not in applier.kpis.counters()


def test_what_former_versions_remembered_is_taken_away(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.client.hset("us:kpi:targets", "default:resp-1", "{}")
    applier.client.zadd("us:kpi:orphans:order", {"default:resp-1": 1.0})
    applier.events([exchange(1, tenant="order")])
    assert applier.client.exists("us:kpi:targets", "us:kpi:orphans:order") == 0
    assert applier.kpis.held()["targets"] > 0


def test_memory_for_targets_is_bounded_in_bytes_and_what_is_dropped_is_counted(redis_url: str) -> None:
    applier = Applier(redis_url, KpisConfig(target_bytes=20_000))
    for n in range(40):
        applier.events([exchange(10 * n + k, session=f"s{n}", at=NOW - (40 - n) * DAY / 2) for k in range(10)])
    held = applier.kpis.held()["targets"]
    assert held <= 20_000 + 10 * 300
    dropped = applier.kpis.counters()["targets_dropped"]
    kept = sum(applier.client.hlen(key) for key in applier.client.scan_iter("us:kpi:targets:*"))
    assert dropped > 100
    assert kept > 100
    applier.events([feedback(n, 1.0, f"resp-{n}", at=NOW) for n in (1, 399)])
    assert ratings(applier)["t1"] == (1, 1.0)
    assert applier.kpis.counters()["feedback_unknown_target"] == 1


def test_bytes_counted_are_about_those_that_redis_takes(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.events([exchange(n, session=f"s{n // 5}", unit=f"u{n // 20}") for n in range(3000)])
    applier.events([feedback(n, 1.0, f"resp-{n}", at=NOW) for n in range(500)])
    applier.events([feedback(n, 1.0, f"gone-{n}", at=NOW) for n in range(500)])
    for store, pattern in (("targets", "us:kpi:targets:*"), ("early", "us:kpi:early:*"), ("rows", "us:kpi:rows:*")):
        taken = sum(applier.client.memory_usage(key, samples=0) for key in applier.client.scan_iter(pattern))
        assert 0.7 < taken / applier.kpis.held()[store] < 1.3, store


def test_rows_are_bounded_and_users_without_one_are_counted(redis_url: str) -> None:
    applier = Applier(redis_url, KpisConfig(row_bytes=2000))
    applier.events([exchange(n, unit=f"u{n}") for n in range(50)])
    users = applier.kpis.cohorts("arm")["teacher"]
    held = sum(part["users"] for part in users.values())
    refused = applier.kpis.counters()["kpi_rows_refused"]
    assert 3 < held < 20
    assert held + refused == 50
    applier.events([exchange(60, unit="u0"), feedback(1, 1.0, "resp-49", at=NOW)])
    assert applier.kpis.counters()["kpi_rows_refused"] == refused
    assert rows(applier) == {}
    assert ratings(applier) == {"t1": (1, 1.0)}


def test_a_user_of_many_versions_stays_one_user_of_the_arm(redis_url: str) -> None:
    applier = Applier(redis_url, KpisConfig(row_places=3))
    given = [exchange(n, arm="student", unit="u", version=f"v{n}", at=NOW - 40 * 3600 + n * 3600) for n in range(20)]
    applier.events(given)
    applier.events([feedback(1, 1.0, "resp-19", at=NOW), feedback(2, 1.0, "resp-2", at=NOW)])
    [(hour, sums)] = [(hour, sums) for hour, sums in applier.kpis.cohorts("arm")["student"].items() if sums["users"]]
    assert hour == int((NOW - 40 * 3600) // 3600)
    assert (sums["users"], sums["requests"], sums["requests*requests"]) == (1, 20, 400)
    versions = applier.kpis.cohorts("version")
    assert [sum(part["requests"] for part in versions[f"v{n}"].values()) for n in range(20)] == [1] * 20
    assert rows(applier) == {"v19": (1, 1.0)}
    assert ratings(applier) == {"v19": (1, 1.0), "v2": (1, 1.0)}
    assert applier.kpis.counters()["kpi_rows_folded"] == 17


def test_tenants_do_not_see_each_other(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.events([exchange(1, tenant="甲"), exchange(2, tenant="乙", unit="u1")])
    other = Kpi(id="k", session="s", tenant="乙", at=NOW, kpi="rating", value=1.0, target="resp-1")
    applier.events([other])
    assert ratings(applier) == {}
    assert sum(part["users"] for part in applier.kpis.cohorts("arm")["teacher"].values()) == 2


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf"), -1e300, 1e300])
def test_times_that_no_clock_shows_hold_nothing_up_and_leave_nothing_half_done(redis_url: str, odd: float) -> None:
    applier = Applier(redis_url)
    given = exchange(1).model_copy(update={"at": odd})
    said = feedback(1, 1.0, "resp-2", at=odd)
    for commands in (exchange_effects(KEYS, given), feedback_effects(KEYS, said)):
        applied, faulty, _ = applier.commands([commands])
        assert applied + faulty == 1
    applier.events([exchange(2), feedback(2, 1.0, "resp-2", at=NOW)])
    assert ratings(applier)["t1"][0] == 1
