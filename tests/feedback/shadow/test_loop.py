"""From a copy that is asked to its verdict, its sums and the pool."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from feedback.checks.kinds import Cost, Finding, ReplyPair, ReplySpan
from feedback.events import PhaseArm
from feedback.pool.general import is_general
from feedback.pool.store import ANCHOR
from feedback.shadow.config import ShadowConfig
from feedback.shadow.pairing import Valued
from tests.feedback.conftest import World
from tests.feedback.factory import AWAY, REFUSED, ScriptedEngine, exchange


async def test_a_pair_that_contradicts_itself_becomes_a_hard_sample(world: World) -> None:
    world.directory.students[0].text = "您的订单将在 5 天内送达。"
    assert world.gateway.put(exchange(1))
    await world.work(lambda: world.pool.size() == 1)
    (sample,) = world.pool.sample(5)
    assert (sample.teacher, sample.student, sample.weight) == ("t1", "v1", 3.0)
    assert "logic" in sample.kinds
    assert sample.student_text.startswith("您的订单将在 5")
    assert sample.exchange == exchange(1).id
    assert world.pool.fresh_since(0) == 1
    await world.work(lambda: bool(world.stats.recent_verdicts()))
    verdict = world.stats.recent_verdicts()[0]
    assert (verdict.exact, verdict.facts) == (False, False)


async def test_where_the_student_answers_better_the_teachers_text_is_learned_and_the_difference_told(
    world: World,
) -> None:
    better = "您好，感谢您的耐心等待。您的订单将在 5 天内送达，请您留意短信通知。请问还有什么可以帮您？"
    world.directory.students[0].text = better
    assert world.gateway.put(exchange(1, reply="3 天。"))
    await world.work(lambda: world.pool.size() == 1)
    (sample,) = world.pool.sample(5)
    assert (sample.teacher_text, sample.student_text) == ("3 天。", better)
    assert "quality" not in sample.kinds
    await world.work(lambda: bool(world.stats.recent_verdicts()))
    verdict = world.stats.recent_verdicts()[0]
    assert verdict.quality_student > verdict.quality_teacher


class Tone:
    """A fourth kind of check: asks what stands for a model whether the student shouts."""

    kind = "tone"

    def __init__(self, shouts: Callable[[str], bool]) -> None:
        self._shouts = shouts

    def __call__(self, pair: ReplyPair) -> Finding:
        failed = self._shouts(pair.student)
        spans = (ReplySpan("student", 0, len(pair.student), "in capitals"),) if failed else ()
        return Finding(self.kind, float(not failed), failed, ("shouts",) if failed else (), {}, spans, Cost(0.2, 40))


async def test_a_fourth_kind_of_check_is_counted_like_the_others(world: World) -> None:
    world.checks += (Tone(str.isupper),)
    world.directory.students[0].text = reply = "IT ARRIVES IN 3 DAYS."
    for n, text in enumerate((reply, reply, "It arrives in 3 days.")):
        world.gateway.put(exchange(n, arm="student", version="v1", reply=text))
    assert world.directory.teacher
    world.directory.teacher.text = "It arrives in 3 days."
    await world.work(lambda: len(world.stats.recent_verdicts()) == 3)
    sums = world.kpis.by("version")["v1"]
    assert {name: sums[name]["n"] for name in sums if name.startswith("failed_")} == dict.fromkeys(
        ("failed_semantic", "failed_logic", "failed_quality", "failed_tone"), 3
    )
    assert sums["failed_tone"]["mean"] == pytest.approx(2 / 3)
    assert sums["hard"]["mean"] == pytest.approx(2 / 3)
    assert world.kpis.counters()["kind_tone"] == 2
    samples = world.pool.sample(5)
    assert {(sample.kinds[0], sample.weight) for sample in samples} == {("tone", 3.0)}
    assert (world.pool.fresh_since(0), world.pool.counts_by_kind()["tone"]) == (len(samples), len(samples))


async def test_a_pair_that_says_the_same_becomes_an_anchor(world: World) -> None:
    for n in range(5):
        world.gateway.put(exchange(n))
    await world.work(lambda: world.kpis.by("version").get("v1", {}).get("similarity", {}).get("n") == 5)
    assert world.pool.size() == 0
    assert len(world.pool.sample(10, kind=ANCHOR)) == 5
    for name in ("similarity", "exact", "facts"):
        assert world.kpis.by("version")["v1"][name]["mean"] == pytest.approx(1.0)
    assert [v.student for v in world.stats.recent_verdicts(10)] == ["v1"] * 5


async def test_half_of_what_failed_stands_for_all_traffic_too(world: World) -> None:
    world.directory.students[0].text = "您的订单将在 5 天内送达。"
    asked = [exchange(n) for n in range(12)]
    for one in asked:
        world.gateway.put(one)
    await world.work(lambda: len(world.stats.recent_verdicts(50)) == 12)
    anchors = {sample.exchange for sample in world.pool.sample(50, kind=ANCHOR)}
    assert anchors == {one.id for one in asked if is_general(one.id)}
    assert 0 < len(anchors) < 12


async def test_a_number_without_a_unit_is_held_against_a_greedy_reply(world: World) -> None:
    world.directory.students[0].text = "Your order CK1243 is on its way to you, and we will send a message."
    world.gateway.put(exchange(1, reply="Your order CK1234 is on its way to you, and we will send a message."))
    await world.work(lambda: world.pool.size() == 1 and bool(world.verdicts()))
    (verdict,) = world.verdicts()
    assert verdict.failed == ("logic",)
    assert verdict.reasons == ("code: the teacher says ck1234, the student ck1243",)


async def test_what_a_limit_has_cut_says_so_and_is_not_held_to_its_last_number(world: World) -> None:
    world.directory.students[0].text = "Your parcels are 12, 34 and 567, and they come by courier."
    reply = "Your parcels are 12, 34 and 5"
    for n, finish in enumerate(("length", "stop")):
        world.gateway.put(exchange(n, reply=reply, finish_reason=finish))
    await world.work(lambda: len(world.stats.recent_verdicts()) == 2)
    failed = {verdict.exchange: "logic" in verdict.failed for verdict in world.stats.recent_verdicts()}
    assert failed == {exchange(0).id: False, exchange(1).id: True}
    samples = [*world.pool.sample(5), *world.pool.sample(5, kind=ANCHOR)]
    assert {sample.exchange: sample.cut for sample in samples} == {exchange(0).id: True, exchange(1).id: False}


async def test_the_teachers_tokens_come_along_as_it_gave_them(world: World) -> None:
    """As the client got them, as the shadow copy got them; none where the reply was cut or is not used."""
    assert world.directory.teacher
    world.directory.teacher.tokens, world.directory.students[0].tokens = (7, 8), (1,)
    given = [
        exchange(0, reply_tokens=[3, 4]), exchange(1), exchange(2, arm="student", version="v1", reply_tokens=[1]),
        exchange(3, reply_tokens=[3, 4], params={"temperature": 0.9}),
        exchange(4, reply_tokens=[3], finish_reason="length"),
    ]  # fmt: skip
    for one in given:
        world.gateway.put(one)
    await world.work(lambda: len(world.stats.recent_verdicts()) == 5)
    found = {s.exchange: s.teacher_tokens for s in (*world.pool.sample(9), *world.pool.sample(9, kind=ANCHOR))}
    assert [found[one.id] for one in given if one.id in found] == [
        tokens for one, tokens in zip(given, ((3, 4), None, (7, 8), (7, 8), None), strict=True) if one.id in found
    ]
    assert len(found) >= 3


async def test_a_student_reply_is_compared_with_the_teacher(world: World) -> None:
    assert world.directory.teacher
    world.gateway.put(exchange(1, arm="student", version="v1", reply="不知道"))
    await world.work(lambda: world.pool.size() == 1)
    assert len(world.directory.teacher.asked) == 1
    assert world.directory.students[0].asked == []


async def test_a_redacted_exchange_asks_both_arms_on_the_surrogates(world: World) -> None:
    message = {"role": "user", "content": "我的邮箱是 wang@example.cn，请把发票发给我"}
    world.gateway.put(exchange(1, messages=[message], reply="已发送到 wang@example.cn"))
    await world.work(lambda: len(world.stats.recent_verdicts()) == 1)
    assert world.directory.teacher
    for engine in (world.directory.teacher, world.directory.students[0]):
        assert engine.asked[0]["messages"][0]["content"] == "我的邮箱是 <EMAIL_1>，请把发票发给我"


async def test_sampled_replies_are_not_compared(world: World) -> None:
    world.gateway.put(exchange(1, params={"temperature": 0.9}, reply="something at random"))
    await world.work(lambda: len(world.stats.recent_verdicts()) == 1)
    assert world.stats.recent_verdicts()[0].similarity == pytest.approx(1.0)


async def test_a_candidate_gets_a_share_of_the_copies(world: World) -> None:
    world.directory.students.append(ScriptedEngine("v2"))
    world.directory.candidate = "v2"
    for n in range(30):
        world.gateway.put(exchange(n))
    await world.work(lambda: len(world.stats.recent_verdicts(50)) == 30, ShadowConfig(concurrency=8))
    versions = [v.student for v in world.stats.recent_verdicts(50)]
    assert 5 <= versions.count("v2") <= 25
    assert world.kpis.by("version")["v2"]["similarity"]["n"] == versions.count("v2")


async def test_an_engine_that_is_away_is_asked_again(world: World) -> None:
    world.directory.students[0].fail = [AWAY]
    world.gateway.put(exchange(1))
    await world.work(lambda: len(world.stats.recent_verdicts()) == 1)
    assert len(world.directory.students[0].asked) == 2


async def test_copies_are_dropped_and_counted_at_their_deadline(world: World) -> None:
    world.directory.students[0].busy = 99
    world.gateway.put(exchange(1))
    shadow = ShadowConfig(deadline=0.4)
    await world.work(lambda: world.kpis.counters().get("dropped_deadline") == 1, shadow)
    assert world.stats.waiting() == 0


async def test_a_refused_copy_is_dropped_and_counted(world: World) -> None:
    world.directory.students[0].fail = [REFUSED]
    world.gateway.put(exchange(1))
    await world.work(lambda: world.kpis.counters().get("dropped_refused") == 1)
    assert world.stats.waiting() == 0


async def test_records_reach_their_topics(world: World) -> None:
    world.directory.students[0].text = "no"
    world.gateway.put(exchange(1))
    await world.work(lambda: len(world.verdicts()) == 1)
    assert "semantic" in world.verdicts()[0].failed


async def test_a_copy_on_which_switches_are_valued_counts_what_every_coalition_replies(world: World) -> None:
    """The pair is judged as ever, the third reply is counted beside it, and no user was served it."""
    stable, candidate = ScriptedEngine("v1"), ScriptedEngine("v2", text="您的订单将在 5 天内送达。")
    world.directory.students, world.directory.candidate = [stable, candidate], "v2"
    world.directory.coalitions = {"e": Valued(1.0, ("teacher", "stable", "candidate"))}
    part = PhaseArm(experiment="e", phase=3, arm="none", layer="observe")
    for n in range(4):
        world.gateway.put(exchange(n, unit=f"u{n // 2}", experiments=(part,)))
    world.gateway.put(exchange(9))
    await world.work(lambda: world.kpis.counters().get("pairs") == 5)
    assert world.kpis.counters()["coalitions"] == 4
    sums = world.kpis.paired("e")[3]["v1+v2"]
    assert (sums["valued"], sums["valued#"], sums["users"]) == (4.0, 2.0, 2.0)
    assert (sums.get("exact@1", 0.0), sums["exact@2"], sums["exact@differs#"]) == (0.0, -4.0, 2.0)
    assert sums["exact@2*exact@2"] == 8.0
    assert len(stable.asked) + len(candidate.asked) == 4 * 2 + 1
    assert len(world.stats.recent_verdicts(10)) == 5
