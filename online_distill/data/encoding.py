"""Text turned into tokens: chat template, prompt and reply, what the loss is on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from deploy.engines.splitting.chats import split_chat
from deploy.engines.splitting.tokens import splitter_of
from deploy.engines.tokens import CONTROL_TOKENS, control_tokens
from understudy.errors import BadRequest, ConfigError
from understudy.files import sha256_file


@dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt and a reply as tokens; `tokens[start:]` is the reply with its end token."""

    tokens: list[int]
    start: int


class Encoder:
    """Renders and tokenises by the files of one model folder.

    Control tokens in what clients wrote are split as the gateway split them: to the model they were text.
    """

    def __init__(self, folder: Path) -> None:
        self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(str(folder))
        end = self.tokenizer.eos_token_id
        if not isinstance(end, int):
            raise ConfigError(f"{folder}: the tokenizer names no end token; set eos_token in tokenizer_config.json")
        self.end = end
        self._control = splitter_of(control_tokens(folder) or CONTROL_TOKENS)

    def prompt(self, messages: list[dict[str, Any]]) -> list[int]:
        """Tokens of the rendered prompt, up to where the reply begins.

        Raises:
            BadRequest: with these control tokens no engine was sent this.
        """
        split = split_chat(self._control, messages)
        text = self.tokenizer.apply_chat_template(split, tokenize=False, add_generation_prompt=True)
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def spans(self, reply: str, logged: Sequence[int] | None = None) -> list[tuple[int, int]]:
        """Where in a reply each of its tokens stands, in characters; its end token stands behind it."""
        own = self._own(reply, logged)
        if own is None:
            found = self.tokenizer(reply, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
            return [*((int(start), int(end)) for start, end in found), (len(reply), len(reply))]
        ends = [len(self._said(own[: n + 1])) for n in range(len(own))]
        return [*zip([0, *ends[:-1]], ends, strict=True), (len(reply), len(reply))]

    def text(self, tokens: Sequence[int]) -> str:
        """What tokens of a reply say, without its end token."""
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=True))

    def encode(
        self, messages: list[dict[str, Any]], reply: str, *, max_length: int, max_reply: int, cut: bool = False,
        logged: Sequence[int] | None = None,
    ) -> Encoded | None:  # fmt: skip
        """Prompt and reply with its end token; None: there is no reply, it does not fit, or no engine was sent this.

        The reply's tokens are those `logged` by who gave it, where they say `reply` in this vocabulary: its text
        encoded again may be others, of which nobody said that they were the likeliest.
        A reply longer than `max_reply` is cut there and has no end token. Nor has one that was `cut` before, which
        loses its last token, too: the cut may have gone through it.
        """
        try:
            prompt = self.prompt(messages)
        except BadRequest:
            return None
        whole = self._own(reply, logged) or self.tokenizer.encode(reply, add_special_tokens=False)
        tokens = (whole[:-1] if cut else [*whole, self.end])[:max_reply]
        if len(tokens) < 2 or len(prompt) + len(tokens) > max_length:
            return None
        return Encoded([*prompt, *tokens], len(prompt))

    def _own(self, reply: str, logged: Sequence[int] | None) -> list[int] | None:
        """The logged tokens without their end, where they say `reply`; None: there are none, or they do not."""
        own = list(logged or ())
        own = own[:-1] if own and own[-1] == self.end else own
        if not own or max(own) >= len(self.tokenizer) or self._said(own) != reply:
            return None
        return own

    def _said(self, tokens: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False))


def apart_in(teacher: Path, student: Path) -> str:
    """The file by which two folders read text differently, tokenizer or template; empty where they read it alike."""
    for name in ("tokenizer.json", "chat_template.jinja"):
        one, other = (
            sha256_file(folder / name) if (folder / name).is_file() else None for folder in (teacher, student)
        )
        if one is not None and one != other:
            return name
    return ""
