"""How much of a teacher a student can learn from: pure, given what is known of both."""

from __future__ import annotations

from pathlib import Path

from deploy.engines.findings import TeacherFindings
from deploy.engines.knowledge import Knowledge, KnowledgeLevel
from deploy.routing.document import EXTERNAL
from online_distill.data.encoding import Encoder, apart_in
from online_distill.teacher.words import TokenBytes

ONE_VOCABULARY = "soft targets need one vocabulary"


def of_folders(teacher: Path, student: Path) -> Knowledge:
    """What is known of a teacher whose version is here, by what both read text with."""
    apart = apart_in(teacher, student)
    why = f"{teacher.name} and {student.name} differ in {apart}, and {ONE_VOCABULARY}" if apart else ""
    return Knowledge(teacher=teacher.name, student=student.name, level="text" if apart else "logprobs", why=why)


def of_findings(found: TeacherFindings, student: Path) -> Knowledge:
    """What is known of a teacher that somebody else runs, by what it told of its fixed probes."""
    encoder = Encoder(student)
    level, width, why = _level(found, encoder, student.name)
    return Knowledge(
        teacher=EXTERNAL, student=student.name, level=level, width=width, why=why, identity=found.identity,
        since=found.since,
    )  # fmt: skip


def _level(found: TeacherFindings, encoder: Encoder, student: str) -> tuple[KnowledgeLevel, int | None, str]:
    """(level, most tokens at a position, why not more)."""
    other = f"the teacher cuts text into other tokens than {student}, and {ONE_VOCABULARY}"
    if found.prefill:
        return ("logprobs", found.prefill, "") if _reads_alike(found, encoder) else ("text", None, other)
    if not found.replies:
        return "text", None, f"the teacher tells no log-probabilities ({found.replies_why})"
    if not _says_alike(found, TokenBytes(encoder.tokenizer)):
        return "text", None, other
    return "replies", found.replies, f"the teacher tells none of a text that it is given ({found.prefill_why})"


def _reads_alike(found: TeacherFindings, encoder: Encoder) -> bool:
    """Whether the API's ids of each probe's prompt are the student's."""
    own = [encoder.tokenizer.encode(answer.prompt, add_special_tokens=False)[1:] for answer in found.answers]
    return list(map(list, found.ids)) == own


def _says_alike(found: TeacherFindings, words: TokenBytes) -> bool:
    """Whether each token of its replies is one of the student's, and prompts that end whole are cut alike.

    A model may choose tokens that its own tokenizer would not, so one of the probes has to be cut alike at least. A
    reply with tokens of no bytes says nothing: so vLLM tells tokens that end within a letter.
    """
    whole = [(answer.text, answer.tokens) for answer in found.answers if answer.tokens and all(answer.tokens)]
    told = [(text, [bytes.fromhex(raw) for raw in tokens]) for text, tokens in whole]
    known = all(words.id(raw) is not None for _, tokens in told for raw in tokens)
    return known and any(_cut_alike(text, tokens, words) for text, tokens in told)


def _cut_alike(text: str, tokens: list[bytes], words: TokenBytes) -> bool:
    """Of more than one token, so that it says something; the last may be the end, or cut by the limit."""
    own = words.split(text)
    return own is not None and len(own) > 1 and own[:-1] == tokens[: len(own) - 1]
