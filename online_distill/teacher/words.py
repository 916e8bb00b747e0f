"""A tokenizer's tokens by the bytes that they stand for: how an API's tokens are found again among the student's."""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import Any

from transformers import PreTrainedTokenizerBase

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class TokenBytes:
    """The vocabulary of byte-level tokenizers (GPT-2, Llama 3, Qwen), and of those that mark spaces (Llama 2, Gemma).

    Of any other kind no token is known, and the student learns by text alone.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        # transformers has no such list; `bytes_to_unicode` of its GPT-2 tokenizer is the table of the first kind alone.
        backend: Any = getattr(tokenizer, "backend_tokenizer", None)
        self._parts = json.loads(backend.to_str()) if backend is not None else {}

    def id(self, raw: bytes) -> int | None:
        """The token that stands for these bytes; None where there is none."""
        return self._ids.get(raw)

    def split(self, text: str) -> list[bytes] | None:
        """The tokens of a text as this tokenizer cuts it; None where the bytes of one are not known."""
        found = [self._raw.get(token) for token in self._tokenizer.encode(text, add_special_tokens=False)]
        known = [raw for raw in found if raw is not None]
        return known if len(known) == len(found) else None

    @cached_property
    def _ids(self) -> dict[bytes, int]:
        """A token of several characters goes before a lone byte that means the same."""
        pieces = sorted(self._raw.items(), key=lambda item: bool(_BYTE.fullmatch(str(self._piece(item[0])))))
        found: dict[bytes, int] = {}
        for token, raw in pieces:
            found.setdefault(raw, token)
        return found

    @cached_property
    def _raw(self) -> dict[int, bytes]:
        added = {int(row["id"]): str(row["content"]).encode() for row in self._parts.get("added_tokens") or ()}
        vocabulary = (self._parts.get("model") or {}).get("vocab") or {}
        if not isinstance(vocabulary, dict):  # of Unigram: a list of pieces
            vocabulary = {piece: index for index, (piece, _) in enumerate(vocabulary)}
        decoder = json.dumps(self._parts.get("decoder"), ensure_ascii=False)
        read = _byte_level if "ByteLevel" in decoder else _spaced if "▁" in decoder else None
        known = {index: read(piece) for piece, index in vocabulary.items()} if read else {}
        return {**{index: raw for index, raw in known.items() if raw is not None}, **added}

    def _piece(self, token: int) -> Any:
        return self._tokenizer.convert_ids_to_tokens(token)


def _byte_level(piece: str) -> bytes | None:
    try:
        return bytes(_TABLE[letter] for letter in piece)
    except KeyError:
        return None


def _spaced(piece: str) -> bytes:
    lone = _BYTE.fullmatch(piece)
    return bytes([int(lone[1], 16)]) if lone else piece.replace("▁", " ").encode()


def _letters() -> dict[str, int]:
    """The letter that stands for each byte in byte-level vocabularies (Radford et al. 2019, encoder.py)."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {**{chr(byte): byte for byte in plain}, **{chr(256 + n): byte for n, byte in enumerate(others)}}


_TABLE = _letters()
