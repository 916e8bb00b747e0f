"""Who stands between load and engine: nobody, nginx, a bare ASGI proxy, LiteLLM's proxy, the gateway bare, with
everything on but the guard, and with that.

The engine of short replies is nginx with a fixed reply, which is compiled and needs no compiler on the machine; that of
streams is a small event loop that writes the events one by one.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from bench.gateway.engines import REPLY
from bench.gateway.processes import last_core, running
from bench.gateway.requests import KEY
from feedback.store.server import RedisServer, free_port
from understudy.errors import UsageError

PEERS = ("nginx", "asgi", "litellm")
"""Whom `--peers` knows."""
INSTALL = "python3 -m venv .venv/peers && .venv/peers/bin/pip install 'litellm[proxy]'"
"""Puts LiteLLM's proxy, which wants other versions of much that we use, into an environment of its own."""
SECRET = "a secret of the benchmark"
TIMES = " x"
"""Before the number of workers in a candidate's name."""
BARE, ALL, GUARDED = "understudy", "understudy-all", "understudy-guard"
ALL_ON = """
redis: {{url: "{redis}"}}
bus: {{max_stream_bytes: 1073741824}}
outbox: {{spool_bytes: 1073741824}}
gateway:
  key_secret: {secret}
  api_keys: [{{hmac: {mac}, tenant: bench}}]
router:
  experiments:
    - {{id: halves, unit: user, arms: {{teacher: 0.5, student: 0.5}}, primary: {{kpi: rating, test: two_sided}}}}
"""


def names(peers: list[str], workers: int = 1) -> list[str]:
    """All candidates in their order; with several workers the gateway bare and with everything on but the guard, too.

    Raises:
        UsageError: a peer is not known, or cannot be run here.
    """
    unknown = set(peers) - set(PEERS)
    if unknown:
        raise UsageError(f"`--peers` knows {', '.join(PEERS)}, not {', '.join(sorted(unknown))}")
    if "asgi" in peers and importlib.util.find_spec("aiohttp") is None:
        raise UsageError("the peer `asgi` needs aiohttp, which comes with the extra `cpu` or `gpu`: leave it out")
    if "litellm" in peers and litellm() is None:
        raise UsageError(f"the peer `litellm` is not installed, leave it out or run: {INSTALL}")
    several = [f"{name}{TIMES}{workers}" for name in (BARE, ALL)] if workers > 1 else []
    return ["direct", *(peer for peer in PEERS if peer in peers), BARE, ALL, GUARDED, *several]


def litellm() -> str | None:
    """LiteLLM's proxy, of the peers' environment or of the PATH; None where there is none."""
    own = str(Path(sys.prefix) / "peers" / "bin")
    return shutil.which("litellm", path=os.pathsep.join([own, os.environ.get("PATH", "")]))


def one_of(name: str) -> tuple[str, int]:
    """The candidate that is one worker of `name`, and how many workers that has."""
    one, _, workers = name.partition(TIMES)
    return one, int(workers or 1)


@contextmanager
def upstreams(folder: Path, events: int) -> Iterator[dict[bool, int]]:
    """Ports of the engines, by whether they stream."""
    ports = {False: free_port(), True: free_port()}
    config = folder / "upstream.conf"
    config.write_text(nginx_config(folder, ports[False], f"return 200 '{json.dumps(REPLY)}';"))
    code = f"from bench.gateway.engines import serve_streams; serve_streams({ports[True]}, {events})"
    short = running(["nginx", "-c", str(config)], ports[False], last_core())
    stream = running([sys.executable, "-c", code], ports[True], last_core())
    with short, stream:
        yield ports


@contextmanager
def candidate(name: str, folder: Path, upstream: int) -> Iterator[tuple[int, psutil.Process | None]]:
    """A candidate before `upstream` on the first core, several workers on as many: its port and process."""
    if name == "direct":
        yield upstream, None
        return
    port = free_port()
    with ExitStack() as stack:
        command = _command(*one_of(name), folder, port, upstream, stack)
        cores = set(sorted(os.sched_getaffinity(0))[: one_of(name)[1]])
        yield port, stack.enter_context(running(command, port, cores, folder))


def _command(name: str, workers: int, folder: Path, port: int, upstream: int, stack: ExitStack) -> list[str]:
    if name == "nginx":
        config = folder / "proxy.conf"
        config.write_text(nginx_config(folder, port, "proxy_pass http://up;", upstream))
        return ["nginx", "-c", str(config)]
    if name == "asgi":
        return [sys.executable, "-c", f"from bench.gateway.asgi import serve; serve({port}, {upstream})"]
    if name == "litellm":
        config = folder / "litellm.yaml"
        model = {"model": "openai/m", "api_base": f"http://127.0.0.1:{upstream}/v1", "api_key": "any"}
        config.write_text(json.dumps({"model_list": [{"model_name": "auto", "litellm_params": model}]}))
        return [str(litellm()), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    config = folder / "gateway.yaml"
    engine = f"{{url: 'http://127.0.0.1:{upstream}/v1', model: m}}"
    mode = "enforce" if name == GUARDED else "off"
    text = f"engines: {{teacher: {engine}, student: {engine}}}\nguard: {{mode: {mode}}}\n"
    if name != BARE:
        mac = hmac.new(SECRET.encode(), KEY.encode(), hashlib.sha256).hexdigest()
        text += ALL_ON.format(redis=_redis(folder / "redis", stack), secret=SECRET, mac=mac)
    config.write_text(text)
    state = folder / f"state-{port}"
    return [
        "env", f"UNDERSTUDY_GATEWAY__WORKERS={workers}", sys.executable, "-m", "understudy", "serve",
        "--config", str(config), "--port", str(port), "--gateway-only",
        *(("--state", str(state)) if name != BARE else ()),
    ]  # fmt: skip


def _redis(folder: Path, stack: ExitStack) -> str:
    folder.mkdir(exist_ok=True)
    server = RedisServer(folder, durable=False)
    url = server.start()
    stack.callback(server.stop)
    if server.pid is not None:
        subprocess.run(
            ["taskset", "-a", "-cp", str(max(last_core())), str(server.pid)], check=True, capture_output=True
        )
    return url


def nginx_config(folder: Path, port: int, action: str, upstream: int | None = None) -> str:
    """A configuration of one worker in the foreground."""
    servers = f"upstream up {{ server 127.0.0.1:{upstream}; keepalive 256; }}" if upstream else ""
    return f"""daemon off; worker_processes 1; pid {folder}/{port}.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; keepalive_requests 1000000000;
  client_body_buffer_size 128k; client_max_body_size 8m;
  {servers}
  server {{ listen 127.0.0.1:{port} backlog=4096; default_type application/json;
    location / {{ proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; {action} }} }} }}
"""
