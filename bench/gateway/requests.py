"""Bodies of completions that differ from each other as those of people do, and the wrk script that sends them.

Half hold digits, a quarter is Chinese; each request has a unit of its own and says a word of its own, so that nothing
that is remembered of a unit or of a text, such as the guard's judgement, is looked up twice.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from trials.turns import turns

BODIES = {512: 512, 8 << 10: 256, 64 << 10: 64}
"""Bytes of a body, roughly -> how many different ones are sent in turn."""
MIXED = (
    (512, False, 128), (512, True, 128), (8 << 10, False, 96), (8 << 10, True, 96), (64 << 10, False, 16),
    (64 << 10, True, 16),
)  # fmt: skip
"""Of a mixed load: bytes, whether they are streamed, how many different ones."""
UNIT = "0000000000"
"""What stands for a request's number in a body."""
WORD = "wwwwwwwwww"
"""What stands for the word that makes a text another one: the request's number in letters."""
PATH = "/v1/chat/completions"
KEY = "a key of the benchmark"
SCRIPT = """
local heads, middles, tails, at, sent = {}, {}, {}, 0, 0
local letters = {["0"] = "a", ["1"] = "b", ["2"] = "c", ["3"] = "d", ["4"] = "e", ["5"] = "f", ["6"] = "g",
  ["7"] = "h", ["8"] = "i", ["9"] = "k"}
local headers = {["content-type"] = "application/json", ["authorization"] = "Bearer %(key)s"}
function init(args)
  for line in io.lines("%(bodies)s") do
    local whole = wrk.format("POST", "%(path)s", headers, line)
    local unit = string.find(whole, "%(unit)s", 1, true)
    local word = string.find(whole, "%(word)s", unit, true)
    heads[#heads + 1] = string.sub(whole, 1, unit - 1)
    middles[#middles + 1] = string.sub(whole, unit + #"%(unit)s", word - 1)
    tails[#tails + 1] = string.sub(whole, word + #"%(word)s")
  end
end
function request()
  at, sent = at %% #heads + 1, sent + 1
  local number, unit = string.format("%%010d", sent), string.format("%%010d", sent %% %(units)d)
  return heads[at] .. unit .. middles[at] .. string.gsub(number, "%%d", letters) .. tails[at]
end
%(pause)s
function done(s, l, r)
  local e = s.errors
  io.write(string.format("RES %%d %%d %%d %%d %%d\\n", s.requests, s.duration, l:percentile(50), l:percentile(99),
    e.status + e.connect + e.read + e.timeout))
end
"""


def bodies(size: int, stream: bool, count: int | None = None) -> list[bytes]:
    """`count` different bodies of roughly `size` bytes, the same ones in each run."""
    count = count or BODIES[size]
    english, chinese = turns("en").stretches(size), turns("zh").stretches(max(1, size // 3))
    return [
        _body(next(chinese if number % 4 == 1 else english), number % 4 in (1, 2), stream) for number in range(count)
    ]


def _body(text: str, digits: bool, stream: bool) -> bytes:
    if not digits:
        text = re.sub(r"\d", "", text)
    elif re.search(r"\d", text) is None:
        text += " 3"
    said = [{"role": "user", "content": f"{text} {WORD}"}]
    body = {"model": "auto", "user": f"unit-{UNIT}", "messages": said, "stream": stream}
    return json.dumps(body, ensure_ascii=False).encode()


def source() -> str:
    """Where the texts are from."""
    return " and ".join(sorted({turns("en").source, turns("zh").source}))


def written(folder: Path, size: int, stream: bool) -> Path:
    """A file of bodies of one size, one a line."""
    lines = folder / f"bodies-{size}-{stream}.jsonl"
    if not lines.exists():
        lines.write_bytes(b"\n".join(bodies(size, stream)) + b"\n")
    return lines


def mixed(folder: Path) -> Path:
    """A file of bodies of all sizes, streamed and not, in an order without a rule."""
    lines = folder / "bodies-mixed.jsonl"
    drawn = [body for size, stream, count in MIXED for body in bodies(size, stream, count)]
    random.Random(0).shuffle(drawn)
    lines.write_bytes(b"\n".join(drawn) + b"\n")
    return lines


def script(folder: Path, lines: Path, pause: float, units: int = 0) -> Path:
    """Write a wrk script that sends the bodies of `lines` and waits `pause` milliseconds after each reply.

    There are as many `units` in turns; 0: each request has one of its own.
    """
    waiting = f"function delay() return {max(1, round(pause))} end" if pause >= 0.5 else ""
    path = folder / "load.lua"
    given = {"key": KEY, "bodies": lines, "path": PATH, "unit": UNIT, "word": WORD, "pause": waiting}
    path.write_text(SCRIPT % (given | {"units": units or 10**10}), "utf-8")
    return path


def sample(size: int = 512) -> Iterator[bytes]:
    """A few of them, for whoever looks whether a candidate answers."""
    return islice(iter(bodies(size, False, 4)), 4)
