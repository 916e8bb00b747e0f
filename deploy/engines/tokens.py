"""Control tokens of an engine: what in a prompt is no text but marks turns and ends, by its tokenizer and template."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from deploy.routing.document import MOST_TOKENS

CONTROL_TOKENS = (
    "<|im_start|>", "<|im_end|>", "<|im_sep|>", "<|endoftext|>", "<|begin_of_text|>", "<|end_of_text|>",
    "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>", "<|system|>", "<|user|>",
    "<|assistant|>", "<|end|>", "<|bos|>", "<|pad|>", "<|tool|>", "<|start|>", "<|message|>", "<|channel|>",
    "<|return|>", "<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>", "<s>", "</s>", "[INST]", "[/INST]",
    "<<SYS>>", "<</SYS>>",
    "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>",
)  # fmt: skip
"""Those of the chat templates in wide use, and of the demo models, for engines of which nothing is known."""
MOST = MOST_TOKENS
_NAMED = (
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
    "additional_special_tokens", "extra_special_tokens",
)  # fmt: skip
"""Keys of files beside a tokenizer that name special tokens; those that it lacks are added when it is loaded."""


def splittable(token: str) -> bool:
    """Whether a token can be split within JSON text: two characters or more, all of the basic plane."""
    return len(token) > 1 and all(ord(char) < 0x10000 for char in token)


@lru_cache(8)
def split_for(told: tuple[str, ...], configured: tuple[str, ...]) -> tuple[str, ...]:
    """What is split for an engine that told these tokens: they, and what is configured beyond those in wide use.

    All that is configured for one that told none. Each request asks for it anew, so the last answers are remembered.
    """
    if not told:
        return configured
    return (*filter(splittable, told), *(token for token in configured if token not in CONTROL_TOKENS))


def control_tokens(folder: Path) -> tuple[str, ...]:
    """The control tokens of the model in `folder`; none where its tokenizer cannot be read.

    They are the special tokens of its tokenizer and of the files beside it, further added ones that its chat template
    names, and of the known spellings those that stand in the template as plain text, such as `[INST]`; blanks are
    none. Beyond `MOST` those that the template names go first.
    """
    tokenizer = _object(folder / "tokenizer.json")
    rows = tokenizer.get("added_tokens")
    added = {
        str(row["content"]): bool(row.get("special"))
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict) and isinstance(row.get("content"), str)
    }
    if not added:
        return ()
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        added |= _beside(_object(folder / name))
    template = _template(folder)
    named = {token for token in (*added, *CONTROL_TOKENS) if token in template}
    found = named | {token for token, special in added.items() if special}
    found = {token for token in found if splittable(token) and token.strip()}
    return tuple(sorted(found, key=lambda token: (token not in named, token))[:MOST])


def _beside(told: dict[str, Any]) -> dict[str, bool]:
    """Added tokens that a file beside the tokenizer names, and whether each is special."""
    rows = told.get("added_tokens_decoder")
    found: list[Any] = list(rows.values()) if isinstance(rows, dict) else []
    for value in (told.get(key) for key in _NAMED):
        if isinstance(value, dict) and "content" not in value:
            several = list(value.values())
        else:
            several = value if isinstance(value, list) else [value]
        named = [one if isinstance(one, dict) else {"content": one} for one in several]
        found += [{**one, "special": True} for one in named]
    return {
        row["content"]: bool(row.get("special"))
        for row in found
        if isinstance(row, dict) and isinstance(row.get("content"), str)
    }


def _template(folder: Path) -> str:
    """The text of its chat templates; empty without any."""
    try:
        return (folder / "chat_template.jinja").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        given = _object(folder / "tokenizer_config.json").get("chat_template")
        return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def _object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
