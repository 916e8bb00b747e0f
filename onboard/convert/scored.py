"""The ids that a GGUF of the kind `llama` prescribes for a text: byte-pair encoding by the scores of SentencePiece.

Spaces are written as U+2581, and one more stands before the text unless `add_space_prefix` is false. Of all neighbours
that make a token together, those of the highest score are joined first, and the leftmost of equal ones; what is no
token in the end becomes its bytes (Kudo and Richardson 2018; llama.cpp, src/llama-vocab.cpp). The package sentencepiece
does so too, but reads a model file of its own alone, and is here only where vLLM is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

KIND = "llama"
SPACE = "\u2581"
UNKNOWN, CONTROL, USER_DEFINED, BYTE = 2, 3, 4, 6
"""Types of tokens in `tokenizer.ggml.token_type`; those of a user are found in a text as they stand."""
Scores = Mapping[str, float]


def prefixes(metadata: Mapping[str, Any]) -> bool:
    """Whether a space is put before a text."""
    return bool(metadata.get("tokenizer.ggml.add_space_prefix", True))


def prescribe(metadata: Mapping[str, Any], backend: Any) -> None:
    """Let a tokenizer of the tokenizers library treat spaces as the metadata say, whatever its class makes of them."""
    from tokenizers import decoders, normalizers

    before = prefixes(metadata)
    spaces = normalizers.Replace(" ", SPACE)
    backend.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), spaces]) if before else spaces
    backend.pre_tokenizer = None
    steps = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    backend.decoder = decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)] if before else steps)


def ids(metadata: Mapping[str, Any], text: str) -> list[int]:
    """Token ids of a text without control tokens, by the metadata alone."""
    tokens = metadata["tokenizer.ggml.tokens"]
    index = {token: number for number, token in enumerate(tokens)}
    types = metadata.get("tokenizer.ggml.token_type") or [1] * len(tokens)
    kinds = dict(zip(tokens, types, strict=False))
    values = metadata.get("tokenizer.ggml.scores") or [0.0] * len(tokens)
    silent = {UNKNOWN, CONTROL, BYTE}
    scores = {token: score for token, score in zip(tokens, values, strict=False) if kinds.get(token) not in silent}
    unknown = int(metadata.get("tokenizer.ggml.unknown_token_id", 0))
    found: list[int] = []
    for part in _parts(text, [token for token, kind in kinds.items() if kind == USER_DEFINED and token]):
        if kinds.get(part) == USER_DEFINED:
            found.append(index[part])
            continue
        spelled = (SPACE if prefixes(metadata) else "") + part.replace(" ", SPACE)
        for piece in joined(list(spelled), scores):
            own = [index[piece]] if piece in scores else [index.get(f"<0x{byte:02X}>") for byte in piece.encode()]
            if None not in own:
                found += [number for number in own if number is not None]
            elif found[-1:] != [unknown]:  # a run of them is one, as SentencePiece has it
                found.append(unknown)
    return found


def joined(parts: list[str], scores: Scores) -> list[str]:
    """Join neighbours that make a token, the one of the highest score first and the leftmost of equal ones."""
    while pairs := [(scores[a + b], -at) for at, (a, b) in enumerate(pairwise(parts)) if a + b in scores]:
        at = -max(pairs)[1]
        parts = [*parts[:at], parts[at] + parts[at + 1], *parts[at + 2 :]]
    return parts


def _parts(text: str, whole: list[str]) -> Iterator[str]:
    """The text around tokens that are found as they stand, the longest of them first, and these tokens."""
    pattern = "|".join(re.escape(token) for token in sorted(whole, key=len, reverse=True))
    parts = re.split(f"({pattern})", text) if whole else [text]
    yield from (part for part in parts if part)
