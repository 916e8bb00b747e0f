"""A copy on its way to another process."""

from __future__ import annotations

from msgspec.structs import replace

from deploy.routing.document import SlotView
from serving.gateway.record.raw import NO_SLOT, RawDegraded, pack, unpack
from serving.gateway.routing import Ask, Decision, GuardNote, PartTaken
from tests.serving.gateway.record.test_assembling import RAW


def test_a_copy_is_the_same_after_the_way_but_for_its_engine() -> None:
    taken = (PartTaken("e", 1, "student", 0.25, True, "arm", {"ttft": 0.5}, (("rating", "before"),), True),)
    slot = SlotView(desired="v1", url="http://127.0.0.1:1", api_key="sk-of-the-engine")
    decision = Decision("student", "v1", slot, "teacher", "用户", True, "e", True, taken=taken, line="shop")
    raw = replace(RAW, decision=decision, ttft=None, judged=GuardNote("rules", 0.5, "open"), chunks=(b"\xff", b"2"))
    body = pack(raw)
    assert b"sk-of-the-engine" not in body
    assert unpack(body) == replace(raw, decision=replace(decision, slot=NO_SLOT))


def test_so_is_that_of_a_degraded_reply() -> None:
    ask = Ask("auto", "会话", "r", headers={"authorization": "Bearer sk-of-a-client"})
    raw = RawDegraded("r", False, b'{"prompt":"x"}', ask, 1.5, "guard", GuardNote("model", 0.9), None, 0.1)
    body = pack(raw)
    assert b"sk-of-a-client" not in body, "nor the client's"
    assert unpack(body) == replace(raw, ask=replace(ask, headers=None))
