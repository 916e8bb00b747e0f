"""What travels between a process and its outbox."""

from __future__ import annotations

from feedback.outbox.apart.frames import EVENT, RAW, STORE, Frame, FrameReader, framed, packed, unpacked
from tests.feedback.child import event
from tests.feedback.factory import exchange


def test_frames_are_the_same_wherever_what_comes_is_cut() -> None:
    sent = [Frame(RAW, 0, b""), Frame(EVENT, 7, "会话".encode()), Frame(STORE, 2**63, b"x" * 300)]
    whole = b"".join(framed(one.kind, one.body, one.number) for one in sent)
    for cut in range(len(whole) + 1):
        reader = FrameReader()
        assert [*reader.feed(whole[:cut]), *reader.feed(whole[cut:])] == sent
    reader = FrameReader()
    assert [one for byte in whole for one in reader.feed(bytes([byte]))] == sent


def test_an_event_is_the_same_after_the_way() -> None:
    for one in (event(3), exchange(1, reply="你好\n")):
        assert unpacked(packed(one)) == one
