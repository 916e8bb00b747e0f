"""Messages as objects, with control tokens neutralised as in the body of a request."""

from __future__ import annotations

from typing import Any

import msgspec

from deploy.engines.splitting.tokens import ControlTokens
from understudy.errors import BadRequest, TooLarge


def split_chat(tokens: ControlTokens, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`messages` as an engine with these control tokens gets them; the same object where none stands in them.

    Raises:
        BadRequest: a role could make up a token, or there are more tokens than can be split: no engine was sent this.
    """
    tokens.check_roles(message.get("role") for message in messages)
    raw = msgspec.json.encode({"messages": messages})
    try:
        split = tokens.neutralised(raw)
    except TooLarge as error:
        raise BadRequest(error.message) from None
    if split is raw:
        return messages
    changed: list[dict[str, Any]] = msgspec.json.decode(split)["messages"]
    return changed
