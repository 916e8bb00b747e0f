"""The shadow loop: take a copy, ask the other arm, check, and store verdict, sample and sums.

Copies wait while the engine is busy with live traffic, and each has a deadline; what runs out of
it is dropped and counted.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feedback.checks.building import run_checks
from feedback.checks.evidence import evidence
from feedback.checks.kinds import Check, Finding, ReplyPair
from feedback.events import Exchange, HardSample, Verdict, sample_id
from feedback.inputs import input_kinds
from feedback.kpis.effects import verdict_effects
from feedback.outbox.outbox import Outbox
from feedback.pool.general import is_general
from feedback.pool.store import Pool
from feedback.shadow.asking import Reply
from feedback.shadow.config import ShadowConfig
from feedback.shadow.jobs import Job, Jobs
from feedback.shadow.pairing import Directory, ShadowPlan, Target, Valuation, comparable_texts, plan, side
from feedback.shadow.valuing import CopyReplies, copy_commands
from feedback.store.keys import RedisKeys
from feedback.texts import language, last_user, normal, prompt_text
from understudy.errors import BadRequest, Conflict, Unavailable
from understudy.ids import stable_id

log = logging.getLogger(__name__)

IDLE = 0.2
RECENT = 500
"""Verdicts kept for live views."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Both replies of a pair and the versions that gave them."""

    teacher: str
    student: str
    teacher_version: str
    student_version: str
    cut: bool = False
    """Whether a limit of tokens ended one of them, so that both are cut there."""
    teacher_tokens: tuple[int, ...] | None = None
    """As the teacher gave them; None: not known, or cut."""
    copied: CopyReplies | None = None
    """Of a copy on which switches are valued."""


class ShadowLoop:
    """`config.concurrency` copies at a time, in one event loop; everything blocking runs in threads."""

    def __init__(
        self, jobs: Jobs, directory: Directory, pool: Pool, outbox: Outbox, keys: RedisKeys, config: ShadowConfig,
        checks: Sequence[Check], hard_weight: float = 3.0,
    ) -> None:  # fmt: skip
        self._jobs = jobs
        self._directory = directory
        self._pool = pool
        self._outbox = outbox
        self._keys = keys
        self._config = config
        self._checks = checks
        self._hard_weight = hard_weight
        self.pairs = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; a copy that is being asked then is left for the next worker."""
        tasks = [asyncio.create_task(self._work(stop)) for _ in range(self._config.concurrency)]
        try:
            await stop.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                job = await asyncio.to_thread(self._jobs.claim, time.time())
                if job is None:
                    await asyncio.sleep(IDLE)
                else:
                    await self._settle(job)
            except Unavailable as error:
                log.debug("the shadow loop waits: %s", error.message)
                await asyncio.sleep(1.0)
            except Exception:
                # One broken copy must not end the loop; its lease runs out and it is dropped at last.
                log.exception("a shadow copy failed")
                await asyncio.sleep(IDLE)

    async def _settle(self, job: Job) -> None:
        try:
            async with asyncio.timeout(max(0.0, job.until - time.time())):
                answers = await self._ask(job)
        except TimeoutError:
            await asyncio.to_thread(self._jobs.drop, job.id, "deadline")
        except BadRequest as error:
            log.debug("an engine refused a shadow copy: %s", error.message)
            await asyncio.to_thread(self._jobs.drop, job.id, "refused")
        else:
            await asyncio.to_thread(self._conclude, job, answers)
            self.pairs += 1

    async def _ask(self, job: Job) -> Answers:
        """Ask until it works; the caller sets the deadline."""
        while True:
            arms = self._directory.arms()
            chosen = plan(job.exchange, arms, self._config) if arms else None
            if chosen is not None:
                try:
                    return await self._answers(job, chosen)
                except (Conflict, Unavailable) as error:
                    log.debug("a shadow copy is asked again: %s", error.message)
            await asyncio.sleep(0.5)

    async def _answers(self, job: Job, chosen: ShadowPlan) -> Answers:
        exchange = job.exchange
        replies: dict[str, Reply] = {}
        other = None if chosen.valued is None else chosen.valued.other
        for name, target in (("student", chosen.student), ("teacher", chosen.teacher), ("other", other)):
            if target is not None:
                replies[name] = await self._reply(job, target, chosen)
        texts = {name: replies[name].text if name in replies else exchange.reply for name in ("teacher", "student")}
        versions = {name: reply.version for name, reply in replies.items()}
        used = {replies[name].finish_reason if name in replies else exchange.finish_reason for name in texts}
        cut = "length" in used
        teacher, student = comparable_texts(texts["teacher"], texts["student"], cut=cut)
        tokens = replies["teacher"].tokens if "teacher" in replies else exchange.reply_tokens
        return Answers(
            teacher, student, versions.get("teacher", exchange.version), versions.get("student", exchange.version), cut,
            None if cut else tokens, None if chosen.valued is None else _copied(chosen.valued, replies),
        )  # fmt: skip

    async def _reply(self, job: Job, target: Target, chosen: ShadowPlan) -> Reply:
        while await target.engine.running() > self._config.max_running:
            await asyncio.sleep(IDLE)
        return await target.engine.chat(
            job.exchange.messages,
            version=target.version,
            max_tokens=chosen.max_tokens,
            deadline=max(0.1, job.until - time.time()),
            **chosen.sampling,
        )

    def _conclude(self, job: Job, answers: Answers) -> None:
        """Checks, then the records, then the pool (idempotent by id), last the sums with the job's end."""
        exchange = job.exchange
        question = last_user(exchange.messages)
        lang = language(question + answers.teacher)
        # Both are greedy: `pairing.plan` has others asked anew. What is cut may end within a number.
        pair = ReplyPair(exchange.messages, answers.teacher, answers.student, lang, greedy=not answers.cut)
        findings = run_checks(pair, self._checks)
        told = side(exchange, answers.student_version, self._directory.arms())
        verdict = make_verdict(exchange, answers, findings, told)
        sample = make_sample(exchange, answers, verdict, pair.lang, self._hard_weight)
        self._outbox.put_durable(verdict)
        if verdict.failed or verdict.kinds:
            self._outbox.put_durable(sample)
            self._pool.admit(sample)
        if is_general(exchange.id) or not (verdict.failed or verdict.kinds):
            self._pool.anchor(sample)
        commands = [*verdict_effects(self._keys, verdict), *self._views(verdict)]
        if answers.copied is not None:
            commands += copy_commands(self._keys, exchange, answers.copied, lang, self._checks)
            commands.append(["HINCRBY", self._keys.counters, "coalitions", 1])
        self._jobs.finish(job.id, commands)

    def _views(self, verdict: Verdict) -> list[list[object]]:
        record = verdict.model_dump_json(exclude_none=True, exclude=set(verdict.TEXT))
        kinds = (*verdict.failed, *verdict.kinds)
        return [
            ["LPUSH", self._keys.verdicts, record],
            ["LTRIM", self._keys.verdicts, 0, RECENT - 1],
            ["HINCRBY", self._keys.counters, "pairs", 1],
            *(["HINCRBY", self._keys.counters, f"kind_{kind}", 1] for kind in kinds),
        ]


def _copied(valued: Valuation, replies: Mapping[str, Reply]) -> CopyReplies:
    """All of them were asked anew, see `pairing.plan`."""
    students = {one.version: one.text for name, one in replies.items() if name != "teacher"}
    cut = any(one.finish_reason == "length" for one in replies.values())
    return CopyReplies(valued, replies["teacher"].text, students, cut)


def make_verdict(
    exchange: Exchange, answers: Answers, findings: dict[str, Finding], rollout: str | None = None
) -> Verdict:
    """The verdict of one pair; its id is the same whenever the pair is the same. `rollout`: see `pairing.side`."""
    quality = findings["quality"].values
    return Verdict(
        id=stable_id("verdict", exchange.id, answers.student_version),
        session=exchange.session,
        tenant=exchange.tenant,
        at=exchange.at,
        exchange=exchange.id,
        unit=exchange.unit,
        experiment=exchange.experiment,
        experiments=exchange.counts_for,
        rollout=rollout,
        teacher=answers.teacher_version,
        student=answers.student_version,
        similarity=findings["semantic"].score,
        exact=normal(answers.teacher) == normal(answers.student),
        facts=not evidence(prompt_text(exchange.messages), answers.teacher, answers.student),
        checked=tuple(findings),
        failed=tuple(f.kind for f in findings.values() if f.failed),
        kinds=input_kinds(exchange.messages),
        reasons=tuple(reason for f in findings.values() for reason in f.reasons)[:8],
        quality_teacher=quality.get("teacher", 0.0),
        quality_student=quality.get("student", 0.0),
    )


def make_sample(exchange: Exchange, answers: Answers, verdict: Verdict, lang: str, hard_weight: float) -> HardSample:
    """The pair as a training sample: `hard_weight` where a check failed, else 1."""
    return HardSample(
        id=sample_id(exchange.id, answers.student_version),
        session=exchange.session,
        tenant=exchange.tenant,
        at=exchange.at,
        exchange=exchange.id,
        messages=exchange.messages,
        teacher_text=answers.teacher,
        teacher_tokens=answers.teacher_tokens,
        student_text=answers.student,
        teacher=answers.teacher_version,
        student=answers.student_version,
        kinds=(*verdict.failed, *verdict.kinds),
        weight=hard_weight if verdict.failed else 1.0,
        lang=lang,
        cut=answers.cut,
    )
