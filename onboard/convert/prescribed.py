"""The ids that a GGUF's own metadata prescribe for a text, computed apart from the tokenizer that was made of it.

Byte-pair encoding: by merge ranks over the pieces of the pre-tokenizer that `tokenizer.ggml.pre` names, or by scores
(`scored`), as llama.cpp does both (src/llama-vocab.cpp). Slow and short: it only judges a handful of probes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

from onboard.convert import scored
from onboard.refusal import ModelRefused

RANKED = "gpt2"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
WHOLE = frozenset({"gpt-2", "phi-2", "olmo", "mpt", "default"})
BY_DIGIT = frozenset({"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone"})
"""Each digit is a piece of its own, and what lies between is split as GPT-2 does it."""
PROBES = (
    "Hello, world! How's it going?", "Order KL2457 costs $1,299.50 (20 % off)  in  2026.", "  two  spaces\n\n\tand ",
    "def f(x):\n    return x**2  # naïve", "您好，订单 8842 什么时候发货？谢谢！", "مرحبا Привет Ünïcödé 🙂 100km/h",
    "a  5 1 22 333 4444",
)  # fmt: skip
Metadata = Mapping[str, Any]


def prescribe(metadata: Metadata, backend: Any) -> None:
    """Give the tokenizer that transformers made of the file what the metadata say and it leaves out.

    Raises:
        ModelRefused: the metadata name a kind of tokenizer or a pre-tokenizer that nobody here knows.
    """
    kind = metadata.get("tokenizer.ggml.model")
    if kind == scored.KIND:
        scored.prescribe(metadata, backend)
    elif kind == RANKED and metadata.get("tokenizer.ggml.merges"):
        backend.pre_tokenizer = splitter(metadata, backend)
    else:
        lacks = f"{kind!r}" if kind != RANKED else f"{kind!r} without merges"
        raise ModelRefused(
            f"the file prescribes a tokenizer of the kind {lacks}, whose ids cannot be told here, so nobody would "
            "notice other ones than the model was trained on: take the model's folder with tokenizer.json"
        )


def splitter(metadata: Metadata, made: Any) -> Any:
    """The pre-tokenizer that the metadata name: the one of the tokenizer `made`, or one that transformers leaves out.

    Raises:
        ModelRefused: nobody here knows it.
    """
    from tokenizers import pre_tokenizers
    from transformers.integrations.gguf.gguf_tokenizer_mapping import (  # house: allow heavy-import, by its own library
        GGUF_PRE_TOKENIZER_SPLITS,
    )

    name = metadata.get("tokenizer.ggml.pre")
    if name is None or name in WHOLE:
        return made.pre_tokenizer
    if name in BY_DIGIT:
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    if name not in GGUF_PRE_TOKENIZER_SPLITS:
        raise ModelRefused(
            f"the file prescribes the pre-tokenizer {name!r}, which is unknown here, so that its tokenizer would give "
            "other ids than the model was trained on: take the model's folder with tokenizer.json"
        )
    return made.pre_tokenizer


def require_same(metadata: Metadata, tokenizer: Any) -> None:
    """Raises ModelRefused where the tokenizer gives a token another id than the file does, or cuts a probe."""
    tokens = list(metadata["tokenizer.ggml.tokens"])
    vocabulary = tokenizer.get_vocab()
    spelling = _spelled if metadata.get("tokenizer.ggml.model") == RANKED else _underscored
    for index, token in enumerate(tokens):
        if vocabulary.get(token) != index and vocabulary.get(spelling(token)) != index:
            raise ModelRefused(_other(f"the token {token!r}", vocabulary.get(token), index))
    for name, own in (("bos", tokenizer.bos_token_id), ("eos", tokenizer.eos_token_id)):
        said = metadata.get(f"tokenizer.ggml.{name}_token_id")
        if said is not None and own != said:
            raise ModelRefused(_other(f"its {name} token", own, said))
    for probe in PROBES:
        given, wanted = tokenizer.encode(probe, add_special_tokens=False), ids(metadata, probe)
        if given != wanted:
            raise ModelRefused(_other(f"the text {probe!r}", given, wanted))


def ids(metadata: Metadata, text: str) -> list[int]:
    """Token ids of a text without control tokens, by the metadata alone."""
    if metadata.get("tokenizer.ggml.model") == scored.KIND:
        return scored.ids(metadata, text)
    index = {token: number for number, token in enumerate(metadata["tokenizer.ggml.tokens"])}
    ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(metadata["tokenizer.ggml.merges"])}
    found = []
    for piece in _pieces(metadata.get("tokenizer.ggml.pre"), text):
        parts = merged(list(_spelled(piece)), ranks)
        found += [index[part] for part in parts if part in index]
    return found


def merged(parts: list[str], ranks: Mapping[tuple[str, ...], int]) -> list[str]:
    """Join neighbours, the pair of the lowest rank first, until no pair is known (Sennrich et al. 2016)."""
    while len(parts) > 1:
        rank, at = min((ranks.get((a, b), len(ranks)), i) for i, (a, b) in enumerate(pairwise(parts)))
        if rank == len(ranks):
            break
        parts = [*parts[:at], parts[at] + parts[at + 1], *parts[at + 2 :]]
    return parts


def _pieces(pre: str | None, text: str) -> Iterator[str]:
    import regex
    from transformers.integrations.gguf.gguf_tokenizer_mapping import (  # house: allow heavy-import, by its own library
        GGUF_PRE_TOKENIZER_SPLITS,
    )

    if pre in BY_DIGIT:
        for part in regex.findall(r"\p{N}|\P{N}+", text):
            yield from regex.findall(GPT2, part)
        return
    pattern = GGUF_PRE_TOKENIZER_SPLITS.get(pre, GPT2)
    yield from (match.group() for match in regex.finditer(pattern, text))


def _spelled(text: str) -> str:
    """A text as a byte-level vocabulary writes it."""
    spelling = _spelling()
    return "".join(spelling[byte] for byte in text.encode())


def _underscored(token: str) -> str:
    """A token of a user, which the file has with its spaces, as a SentencePiece vocabulary writes it."""
    return token.replace(" ", scored.SPACE)


@cache
def _spelling() -> dict[int, str]:
    """The printable character that stands for each byte in a byte-level vocabulary (Radford et al. 2019)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {**{byte: chr(byte) for byte in plain}, **{byte: chr(256 + n) for n, byte in enumerate(others)}}


def _other(what: str, given: Any, wanted: Any) -> str:
    return (
        f"the tokenizer made of the file gives {what} the id {given}, its own metadata prescribe {wanted}: take the "
        "model's folder with tokenizer.json"
    )
