"""LiteLLM and LangChain as an application uses them: client.py BASE_URL WHAT; prints one JSON object.

Runs in `.venv/clients`, which holds none of ours.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any, Literal

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it fetches a list of prices
TEXT = "Where is my order 4711? 我的订单在哪里？"
ASKED = {"messages": [{"role": "user", "content": TEXT}], "temperature": 0, "max_tokens": 24}
STATES = {"type": "string", "enum": ["paid", "sent"]}
SCHEMA = {"type": "object", "properties": {"state": STATES}, "required": ["state"], "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": "find_order", "description": "Finds it.", "parameters": SCHEMA}}
CHOICE = {"type": "function", "function": {"name": "find_order"}}


def litellm(base: str) -> dict[str, Any]:
    import litellm as module

    def ask(model: str = "teacher", **more: Any) -> Any:
        return module.completion(
            model=f"openai/{model}",
            api_base=base,
            api_key="any",
            num_retries=0,
            **{**ASKED, **more},
            _skip_mcp_handler=True,  # which no tool of ours needs, and which asks for one more package
        )

    whole = ask().choices[0].message.content
    streamed = "".join(part.choices[0].delta.content or "" for part in ask(stream=True))
    parts = ask(stream=True, max_tokens=64, tools=[TOOL], tool_choice=CHOICE)
    calls = [call for part in parts for call in part.choices[0].delta.tool_calls or ()]
    shape = {"type": "json_schema", "json_schema": {"name": "order", "schema": SCHEMA, "strict": True}}
    shaped = ask(max_tokens=64, response_format=shape).choices[0].message.content
    refused = ""
    try:
        ask("nobody")
    except module.NotFoundError as error:
        refused = str(error)
    return {
        "whole": whole, "streamed": streamed, "shaped": json.loads(shaped), "refused": refused,
        "tool": next(call.function.name for call in calls if call.function.name),
        "arguments": json.loads("".join(call.function.arguments or "" for call in calls)),
    }  # fmt: skip


def langchain(base: str) -> dict[str, Any]:
    from langchain_openai import ChatOpenAI
    from pydantic import BaseModel, SecretStr

    class FoundOrder(BaseModel):
        """The order's state."""

        state: Literal["paid", "sent"]

    chat = ChatOpenAI(
        model="teacher", base_url=base, api_key=SecretStr("any"), temperature=0, max_tokens=64, max_retries=0
    )

    async def beside() -> tuple[list[Any], str]:
        replies = await chat.abatch([f"Order {number}?" for number in range(4)])
        return [str(reply.content) for reply in replies], "".join(
            [str(part.content) async for part in chat.astream(TEXT)]
        )

    whole = chat.invoke(TEXT)
    (call,) = chat.bind_tools([TOOL], tool_choice="find_order").invoke(TEXT).tool_calls
    shaped: Any = chat.with_structured_output(FoundOrder, method="json_schema").invoke(TEXT)
    replies, unblocked = asyncio.run(beside())
    return {
        "whole": whole.content, "streamed": "".join(str(part.content) for part in chat.stream(TEXT)),
        "tokens": whole.usage_metadata["total_tokens"], "shaped": {"state": shaped.state}, "tool": call["name"],
        "arguments": call["args"], "beside": replies, "unblocked": unblocked,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps({"litellm": litellm, "langchain": langchain}[sys.argv[2]](sys.argv[1])))
