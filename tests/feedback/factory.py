"""Exchanges, samples and a scripted engine for tests."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from feedback.events import Exchange, HardSample, exchange_id, sample_id
from feedback.shadow.asking import Reply
from feedback.shadow.pairing import Arms, Target, Valued
from understudy.errors import BadRequest, Conflict, Unavailable

QUESTION = "我的订单什么时候到？"


def exchange(n: int = 0, **changes: Any) -> Exchange:
    """A greedy exchange answered by the teacher."""
    response = changes.pop("response_id", f"resp-{n}")
    given: dict[str, Any] = {
        "id": exchange_id(response), "session": f"s{n % 7}", "at": time.time(), "unit": f"u{n}",
        "messages": [{"role": "user", "content": f"{QUESTION} {n}"}], "params": {"temperature": 0, "max_tokens": 64},
        "reply": "您的订单将在 3 天内送达。", "arm": "teacher", "version": "t1", "epoch": 1, "response_id": response,
        "seconds": 0.5, "ttft": 0.1,
    }  # fmt: skip
    return Exchange(**(given | changes))


def hard(n: int, *, text: str = "", **changes: Any) -> HardSample:
    """A failed sample about something of its own."""
    about = text or f"question {n}: " + " ".join(f"{(n + 1) * k * 7919 % 99991:x}" for k in range(1, 12))
    given: dict[str, Any] = {
        "id": sample_id(f"e{n}", changes.get("student", "v1")), "session": f"s{n}", "at": time.time(),
        "exchange": f"e{n}", "messages": [{"role": "user", "content": about}],
        "teacher_text": "老师", "student_text": "学生",
        "teacher": "t1", "student": "v1", "kinds": ("semantic",),
    }  # fmt: skip
    return HardSample(**(given | changes))


@dataclass
class ScriptedEngine:
    """Answers `text` as `version`; `fail` are errors raised first, one a call."""

    version: str
    text: str = "您的订单将在 3 天内送达。"
    delay: float = 0.0
    busy: int = 0
    tokens: tuple[int, ...] | None = None
    fail: list[Exception] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def chat(self, messages: list[dict[str, Any]], **given: Any) -> Reply:
        self.asked.append({"messages": messages, **given})
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.fail:
            raise self.fail.pop(0)
        if given["version"] != self.version:
            raise Conflict("another version")
        return Reply(self.text, self.version, "stop", 10, 10, self.delay, self.tokens)

    async def running(self) -> int:
        return self.busy


@dataclass
class Directory:
    """Arms of scripted engines."""

    teacher: ScriptedEngine | None = field(default_factory=lambda: ScriptedEngine("t1"))
    students: list[ScriptedEngine] = field(default_factory=lambda: [ScriptedEngine("v1")])
    candidate: str | None = None
    step: int | None = None
    rate: float = 1.0
    coalitions: dict[str, Valued] = field(default_factory=dict)

    def arms(self) -> Arms | None:
        return Arms(
            teacher=Target(self.teacher.version, self.teacher) if self.teacher else None,
            students={s.version: Target(s.version, s) for s in self.students},
            stable="v1",
            candidate=self.candidate,
            step=self.step,
            to_student=self.rate,
            to_teacher=self.rate,
            coalitions=self.coalitions,
        )


REFUSED = BadRequest("too long")
AWAY = Unavailable("away")
