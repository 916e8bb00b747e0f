"""A body as an engine makes a prompt of it: the parts of contents and arguments of calls as vLLM hands them over."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerFast


class ChatRenderer:
    """The tokenizer of a model with its template; `pieces` as in `ChatFamily`."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, tokens: Sequence[str], pieces: bool) -> None:
        self._tokenizer, self._pieces = tokenizer, pieces
        self._special = {place for place, token in tokenizer.added_tokens_decoder.items() if token.special}
        self._control = re.compile("|".join(map(re.escape, sorted(tokens, key=len, reverse=True))))
        self._anywhere = re.compile("(?=(" + self._control.pattern + "))")

    def prompt(self, body: dict[str, Any]) -> str:
        """What the template writes."""
        options = {**body.get("chat_template_kwargs", {})}
        return str(self._tokenizer.apply_chat_template(
            [self._message(one) for one in body["messages"]], tools=body.get("tools"), documents=body.get("documents"),
            add_generation_prompt=True, tokenize=False, **options,
        ))  # fmt: skip

    def marks(self, prompt: str) -> tuple[list[int], list[str]]:
        """The special ids of a prompt, and the control tokens that can be read in it."""
        ids = self._tokenizer(prompt, add_special_tokens=False)["input_ids"]
        return [one for one in ids if one in self._special], self._control.findall(prompt)

    def only_split(self, before: str, after: str, parts: bool) -> bool:
        """Whether `after` is `before` with characters of no width within control tokens, and nothing else.

        With `parts` of contents a token may have blanks in it: the gateway does not know whether a template drops them.
        """
        seen = [at for at, char in enumerate(before) if not (parts and char.isspace())]
        text = "".join(before[at] for at in seen)
        within = {seen[at] for match in self._anywhere.finditer(text)
                  for at in range(match.start() + 1, match.start() + len(match[1]))}  # fmt: skip
        at = 0
        for char in after:
            if at < len(before) and before[at] == char:
                at += 1
            elif char != "\u200b" or at not in within:
                return False
        return at == len(before)

    def _message(self, message: dict[str, Any]) -> dict[str, Any]:
        """As vLLM's `parse_chat_messages` leaves it."""
        content = message["content"]
        texts = [content] if isinstance(content, str) else [
            part if isinstance(part, str) else part["text"] for part in content
        ]  # fmt: skip
        joined = not self._pieces or message["role"] == "tool"
        made = {
            **message,
            "content": "\n".join(texts) if joined else [{"type": "text", "text": text} for text in texts],
        }
        if "tool_calls" in message:
            made["tool_calls"] = [
                {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
                for call in message["tool_calls"]
            ]
        return made
