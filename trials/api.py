"""An OpenAI-compatible API that somebody else runs, played by a model of a folder on this machine.

It asks for a key, tells as much as `gives` says, and can be made to fail, or to change its model under its address.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import torch  # house: allow heavy-import, it plays a model
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from transformers import AutoTokenizer  # house: allow heavy-import, it plays a model

from online_distill import models

Gives = Literal["text", "replies", "prefill"]
WIDEST = 20


class PlayedApi:
    """Answers by the greedy choice of a model; `failures` are given first, each once."""

    def __init__(self, folder: Path, key: str = "", gives: Gives = "text", served: str = "big-1") -> None:
        self.key, self.gives, self.served, self.fingerprint = key, gives, served, "fp-1"
        self.failures: list[Response] = []
        self.asked: list[dict[str, Any]] = []
        self.url = ""
        self.longest = 64
        """Tokens of a reply at most, whatever is asked for."""
        self.shut = 0
        """Status of a proxy that lets nothing but chat through; 0: it lets all through."""
        self._lock = threading.Lock()
        self.load(folder)

    def load(self, folder: Path) -> None:
        """Answer by the model of this folder from now on."""
        models.prepare(1)
        self._tokenizer, self._model = AutoTokenizer.from_pretrained(str(folder)), models.load(folder)

    def app(self) -> Starlette:
        """Its routes."""
        return Starlette(routes=[
            Route("/v1/models", self._models),
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
            Route("/v1/completions", self._completions, methods=["POST"]),
        ])  # fmt: skip

    def _models(self, request: Request) -> Response:
        return self._refused(request) or JSONResponse({"data": [{"id": "big"}]})

    def _refused(self, request: Request) -> Response | None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.key and given != self.key:
            return JSONResponse({"error": {"message": f"Incorrect API key provided: {given}"}}, 401)
        return self.failures.pop(0) if self.failures else None

    async def _chat(self, request: Request) -> Response:
        body = json.loads(await request.body())
        if refused := self._refused(request):
            return refused
        self.asked.append(body)
        rendered = self._tokenizer.apply_chat_template(body["messages"], tokenize=False, add_generation_prompt=True)
        prompt = self._tokenizer.encode(rendered, add_special_tokens=False)
        with self._lock:
            said, rows = self._greedy(prompt, min(int(body.get("max_tokens") or self.longest), self.longest))
        ended = bool(said) and said[-1] == self._tokenizer.eos_token_id
        text = self._tokenizer.decode(said[:-1] if ended else said)
        choice: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop" if ended else "length",
        }
        if body.get("logprobs") and self.gives != "text":
            choice["logprobs"] = {"content": self._content(said[: len(said) - ended], rows, body["top_logprobs"])}
        answer = self._answer("chat.completion", choice, len(prompt), len(said))
        return self._streamed(answer, text) if body.get("stream") else JSONResponse(answer)

    async def _completions(self, request: Request) -> Response:
        body = json.loads(await request.body())
        if refused := self._refused(request):
            return refused
        if self.shut:
            return JSONResponse({"error": {"message": "this route is not let through"}}, self.shut)
        if self.gives != "prefill":
            return JSONResponse({"error": {"message": "unknown field `prompt_logprobs`"}}, 400)
        self.asked.append(body)
        given = [body["prompt"]] if isinstance(body["prompt"], str) else body["prompt"]
        choices = []
        with self._lock:
            for index, prompt in enumerate(given):
                own = self._tokenizer.encode(prompt, add_special_tokens=False) if isinstance(prompt, str) else prompt
                choices.append(
                    {"index": index, "text": "", "prompt_logprobs": self._prefilled(own, body["prompt_logprobs"])}
                )
        return JSONResponse({"choices": choices, "model": self.served})

    def _answer(self, kind: str, choice: dict[str, Any], asked: int, said: int) -> dict[str, Any]:
        usage = {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
        return {
            "id": f"chatcmpl-{len(self.asked)}", "object": kind, "created": int(time.time()), "model": self.served,
            "system_fingerprint": self.fingerprint, "choices": [choice], "usage": usage,
        }  # fmt: skip

    def _streamed(self, answer: dict[str, Any], text: str) -> Response:
        """The whole reply as one chunk."""
        done = answer["choices"][0]
        head = {**answer, "object": "chat.completion.chunk"}
        chunks = [
            {**head, "usage": None, "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}}]},
            {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": done["finish_reason"]}]},
        ]
        lines = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
        return Response(f"{lines}data: [DONE]\n\n", media_type="text/event-stream")

    def _greedy(self, prompt: list[int], most: int) -> tuple[list[int], list[torch.Tensor]]:
        """Tokens up to the end token, and the log-probabilities (V,) at the place of each."""
        said, rows, past, given = list[int](), [], None, torch.tensor([prompt])
        with torch.inference_mode():
            while len(said) < most and (not said or said[-1] != self._tokenizer.eos_token_id):
                out = self._model(input_ids=given, past_key_values=past, use_cache=True)
                past, row = out.past_key_values, out.logits[0, -1].float().log_softmax(-1)
                said.append(int(row.argmax()))
                rows.append(row)
                given = torch.tensor([[said[-1]]])
        return said, rows

    def _content(self, said: Sequence[int], rows: Sequence[torch.Tensor], k: int) -> list[dict[str, Any]]:
        found = []
        for token, row in zip(said, rows, strict=False):
            best = row.topk(min(k, WIDEST))
            top = [self._named(i, v) for i, v in zip(best.indices.tolist(), best.values.tolist(), strict=True)]
            found.append({**self._named(token, float(row[token])), "top_logprobs": top})
        return found

    def _named(self, token: int, logprob: float) -> dict[str, Any]:
        text = self._tokenizer.decode([token])
        return {"token": text, "logprob": logprob, "bytes": list(text.encode())}

    def _prefilled(self, own: Sequence[int], k: int) -> list[dict[str, Any] | None]:
        with torch.inference_mode():
            rows = self._model(input_ids=torch.tensor([list(own)])).logits[0].float().log_softmax(-1)
        found: list[dict[str, Any] | None] = [None]
        for token, row in zip(own[1:], rows, strict=False):
            likely = {int(i): float(row[i]) for i in (row.topk(k).indices.tolist() if k else [])}
            found.append({str(i): {"logprob": v} for i, v in {token: float(row[token]), **likely}.items()})
        return found


@contextlib.contextmanager
def played(folder: Path, key: str = "", gives: Gives = "text") -> Iterator[PlayedApi]:
    """The API on a free port of this machine, in a thread, until the block ends."""
    made = PlayedApi(folder, key, gives)
    server = uvicorn.Server(uvicorn.Config(made.app(), port=0, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 30
    while not server.started and time.monotonic() < end:
        time.sleep(0.01)
    made.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    try:
        yield made
    finally:
        server.should_exit = True
        thread.join(10)
