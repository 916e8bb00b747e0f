"""The small frozen records that the parts of the demo world pass to each other."""

from dataclasses import dataclass
from typing import Literal

FactKind = Literal["date", "amount", "sum", "cause", "copy"]
Split = Literal["train", "traffic", "eval"]
Family = Literal["general", "drift"]
Lang = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Phrases:
    """The wording of one intent in one language; contexts carry every entity, asks carry none."""

    contexts: tuple[str, ...]
    asks: tuple[str, ...]
    reply: str


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a right reply must state; `text` is the wording, spaces and case do not matter."""

    kind: FactKind
    text: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One prompt of the demo world with its only right reply."""

    id: str
    family: Family
    intent: str
    lang: Lang
    template: str
    split: Split
    messages: tuple[dict[str, str], ...]
    reply: str
    facts: tuple[Fact, ...]
