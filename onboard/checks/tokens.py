"""Tokenizer and chat template: they load without code of their own, fit the weights, and name their control tokens.

The gateway splits control tokens inside messages, so that nobody writes a turn of another; hence every token by which
a template marks turns must be known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.engines.tokens import CONTROL_TOKENS
from onboard.refusal import ModelRefused

ASKED, ANSWERED, TOLD = "qqAskedqq", "qqAnsweredqq", "qqToldqq"
"""Stand in the place of what people and models say."""
BRACKETED = re.compile(r"<[^<>\s]{1,40}>|\[/?[A-Z_]{2,40}\]|<</?[A-Z]+>>")
TEMPLATE_HINT = "give one by --template FILE.jinja, such as ChatML, with tokens that the tokenizer has"


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """Size of the vocabulary, id of the end token and what marks turns."""

    size: int
    end: int
    control: tuple[str, ...]


def examine(folder: Path, template: str | None, rows: int) -> TokenFacts:
    """Load the tokenizer of `folder` and render `template` by it; `rows` is what the weights have.

    Raises:
        ModelRefused: whatever makes them useless here.
    """
    return facts(load(folder), template, rows, folder)


def facts(tokenizer: Any, template: str | None, rows: int, place: Path) -> TokenFacts:
    """The same of a tokenizer that was loaded from `place`.

    Raises:
        ModelRefused: whatever makes them useless here.
    """
    size = max(len(tokenizer), max(tokenizer.get_vocab().values(), default=-1) + 1)
    if rows and size > rows:
        raise ModelRefused(
            f"the tokenizer has {size} tokens, the weights have {rows}: the last {size - rows} would end an engine; "
            "take the tokenizer of these weights"
        )
    if not isinstance(tokenizer.eos_token_id, int):
        raise ModelRefused(f"the tokenizer of {place} names no end token: set eos_token in tokenizer_config.json")
    if template is None:
        raise ModelRefused(f"{place} has no chat template, and chat is what is served: {TEMPLATE_HINT}")
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    return TokenFacts(size, tokenizer.eos_token_id, control_tokens(render(tokenizer, template), special))


def load(folder: Path) -> Any:
    """The tokenizer of a folder, by tokenizer.json alone.

    Raises:
        ModelRefused: there is none, or it cannot be read.
    """
    from transformers import AutoTokenizer  # house: allow heavy-import, by its own library

    if not (folder / "tokenizer.json").is_file():
        raise ModelRefused(
            f"{folder} holds no tokenizer.json: write one where the tokenizer's own library is installed, by "
            "`AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)`"
        )
    try:
        return AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    except Exception as error:  # the parser of the tokenizers library raises bare exceptions
        raise ModelRefused(f"the tokenizer of {folder} cannot be read ({error}): fetch its files again") from None


def render(tokenizer: Any, template: str) -> tuple[str, ...]:
    """What the template writes for a dialogue of two turns, and for one with a system message where it takes one.

    Raises:
        ModelRefused: it does not compile, fails on a plain dialogue, or loses what was said.
    """
    turns = [{"role": "user", "content": ASKED}, {"role": "assistant", "content": ANSWERED}]
    turns.append({"role": "user", "content": ASKED})
    try:
        text = _applied(tokenizer, template, turns)
    except Exception as error:  # jinja's errors, and whatever the template raises
        raise ModelRefused(
            f"the chat template does not compile or fails on a plain dialogue ({type(error).__name__}: {error}): "
            f"{TEMPLATE_HINT}"
        ) from None
    if text.count(ASKED) < 2 or ANSWERED not in text:
        raise ModelRefused(f"the chat template leaves out what was said: {TEMPLATE_HINT}")
    try:
        return text, _applied(tokenizer, template, [{"role": "system", "content": TOLD}, *turns])
    except Exception:  # many templates refuse a system message, which clients learn from the engine
        return (text,)


def control_tokens(texts: tuple[str, ...], special: list[str]) -> tuple[str, ...]:
    """All that may mark a turn: special tokens, known ones, what stands in brackets, else the marking words themselves.

    Raises:
        ModelRefused: nothing stands between two turns, or something that no gateway can split.
    """
    found = {token for token in special if token.strip()}
    for text in texts:
        for part in re.split("|".join((ASKED, ANSWERED, TOLD)), text):
            found |= _marks(part, special)
    between = re.split(f"{ASKED}|{ANSWERED}", texts[0])[1:3]
    if not all(_marks(part, special) for part in between):
        raise ModelRefused(
            "the chat template puts nothing to go by between two turns, so its control tokens cannot be listed and "
            f"anybody could write a turn of another: {TEMPLATE_HINT}"
        )
    wrong = sorted(token for token in found if len(token) < 2 or not all(ord(char) < 0x10000 for char in token))
    if wrong:
        raise ModelRefused(
            f"the control token {wrong[0]!r} cannot be split inside a message, as the gateway must: {TEMPLATE_HINT}"
        )
    return tuple(sorted(found))


def _marks(part: str, special: list[str]) -> set[str]:
    """What marks a turn in the text between two: tokens and brackets, else its words."""
    marks = {token for token in (*special, *CONTROL_TOKENS) if token in part} | set(BRACKETED.findall(part))
    return marks or {line.strip() for line in part.splitlines() if len(line.strip()) > 1}


def _applied(tokenizer: Any, template: str, turns: list[dict[str, str]]) -> str:
    options = {"chat_template": template, "tokenize": False, "add_generation_prompt": True}
    return str(tokenizer.apply_chat_template(turns, **options))
