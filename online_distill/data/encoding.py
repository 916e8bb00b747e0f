"""Rows of a round, and text turned into tokens: chat template, prompt and reply, what the loss is on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from feedback.events import HardSample
from understudy.errors import ConfigError
from understudy.files import sha256_file, write_atomic


class Row(BaseModel):
    """One sample of a round, as it lies in `rounds/N/select/*.jsonl`."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    schema_version: Literal[1] = 1
    id: str
    exchange: str
    role: Literal["hard", "anchor"]
    kind: str = ""
    lang: str = "en"
    weight: float
    messages: list[dict[str, Any]]
    teacher_text: str
    student_text: str

    @classmethod
    def of(cls, sample: HardSample, role: Literal["hard", "anchor"]) -> Row:
        """A pool sample in the part it plays; an anchor always weighs 1."""
        return cls(
            id=sample.id,
            exchange=sample.exchange,
            role=role,
            kind=sample.kinds[0] if sample.kinds else "",
            lang=sample.lang,
            weight=sample.weight if role == "hard" else 1.0,
            messages=sample.messages,
            teacher_text=sample.teacher_text,
            student_text=sample.student_text,
        )


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """JSON lines, whole or not at all."""
    write_atomic(path, "".join(row.model_dump_json() + "\n" for row in rows))


def read_rows(path: Path) -> list[Row]:
    """The rows of a JSON lines file."""
    return [Row.model_validate_json(line) for line in path.read_text("utf-8").splitlines() if line]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt and a reply as tokens; `tokens[start:]` is the reply with its end token."""

    tokens: list[int]
    start: int


class Encoder:
    """Renders and tokenises by the files of one model folder."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(str(folder))
        end = self.tokenizer.eos_token_id
        if not isinstance(end, int):
            raise ConfigError(f"{folder}: the tokenizer names no end token; set eos_token in tokenizer_config.json")
        self.end = end

    def prompt(self, messages: list[dict[str, Any]]) -> list[int]:
        """Tokens of the rendered prompt, up to where the reply begins."""
        text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def encode(self, messages: list[dict[str, Any]], reply: str, *, max_length: int, max_reply: int) -> Encoded | None:
        """Prompt and reply with its end token; None when there is no reply or it does not fit.

        A reply longer than `max_reply` is cut there and has no end token.
        """
        prompt = self.prompt(messages)
        tokens = [*self.tokenizer.encode(reply, add_special_tokens=False), self.end][:max_reply]
        if len(tokens) < 2 or len(prompt) + len(tokens) > max_length:
            return None
        return Encoded([*prompt, *tokens], len(prompt))


def require_shared_tokenizer(teacher: Path, student: Path) -> None:
    """Raise ConfigError unless both folders hold the same tokenizer and template."""
    for name in ("tokenizer.json", "chat_template.jinja"):
        if (teacher / name).is_file() and sha256_file(teacher / name) != sha256_file(student / name):
            raise ConfigError(
                f"{teacher.name} and {student.name} differ in {name}: top-k targets need one vocabulary; "
                "use a student that shares the teacher's tokenizer"
            )
