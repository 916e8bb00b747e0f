"""Real dialogues for the demo models: where they lie, how they are read, and who may learn from them."""

import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from demo.training.split import DialogueRole, role
from understudy.errors import UnderstudyError

ROOT = Path(__file__).resolve().parents[2]
FILE = "dialogues.jsonl.gz"
# tau-bench: tool calls whose results were dropped, so the replies cannot be followed. SGD: CC BY-SA 4.0,
# whose share-alike condition is kept away from the weights.
LEFT_OUT = frozenset({"sierra-research/tau-bench", "google-research-datasets/dstc8-schema-guided-dialogue"})


class CorpusMissing(UnderstudyError):
    """The real dialogues are not on this machine."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One real dialogue; `messages` alternate roles and may begin with a system message."""

    id: str
    source: str
    lang: str
    messages: tuple[dict[str, str], ...]


def folder() -> Path:
    """The data folder: UNDERSTUDY_DATA, else shared/data beside the checkout."""
    found = Path(os.environ.get("UNDERSTUDY_DATA") or ROOT.parent / "shared" / "data")
    if not (found / FILE).is_file():
        raise CorpusMissing(f"{found / FILE} does not exist: set UNDERSTUDY_DATA to the folder that holds {FILE}")
    return found


def dialogues(roles: frozenset[DialogueRole]) -> Iterator[Dialogue]:
    """All dialogues whose split role is in `roles`, in file order."""
    with gzip.open(folder() / FILE, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if role(row["id"]) not in roles or row["source"] in LEFT_OUT:
                continue
            messages = tuple(
                {"role": m["role"], "content": m["content"]}
                for m in row["messages"]
                if m["role"] in ("user", "assistant") and isinstance(m.get("content"), str)
            )
            if len(messages) > 1:
                yield Dialogue(row["id"], row["source"], row["lang"], messages)
