"""Who stands between load and engine: nobody, peers, the gateway bare, with everything on, and with all but one thing.

The engine is compiled here (`native/`), so that it takes next to nothing of the core that it shares with the load.
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

from bench.gateway.candidates.earlier import AT, checkout
from bench.gateway.native import built
from bench.gateway.processes import last_core, running
from bench.gateway.requests import KEY
from feedback.store.server import RedisServer, free_port
from understudy.errors import UsageError

PEERS = ("nginx", "asgi", "sglang", "litellm")
"""Whom `--peers` knows."""
INSTALL = "python3 -m venv .venv/peers && .venv/peers/bin/pip install 'litellm[proxy]' sglang-router"
"""Puts the peers that want other versions of much that we use into an environment of their own."""
PROGRAMS = {"sglang": "sglang-router", "litellm": "litellm"}
"""Of the peers that are installed apart."""
OPEN = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}
"""Without it LiteLLM refuses to serve who shows no key of its own; here it is reached from this machine alone."""
SECRET = "a secret of the benchmark"
TIMES = " x"
"""Before the number of workers in a candidate's name."""
BARE, ALL = "understudy", "understudy-all"
UNREDACTED, UNGUARDED = f"{ALL} but redaction", f"{ALL} but the guard"
OURS = (BARE, UNREDACTED, UNGUARDED, ALL)
ALL_ON = """
redis: {{url: "{redis}"}}
bus: {{max_stream_bytes: 4294967296}}
outbox: {{spool_bytes: 4294967296}}
gateway:
  key_secret: {secret}
  api_keys: [{{hmac: {mac}, tenant: bench}}]
router:
  experiments:
    - {{id: halves, unit: user, arms: {{teacher: 0.5, student: 0.5}}, primary: {{kpi: rating, test: two_sided}}}}
"""


def known(peers: list[str]) -> list[str]:
    """The peers in their order.

    Raises:
        UsageError: one is not known, or cannot be run here.
    """
    unknown = set(peers) - set(PEERS)
    if unknown:
        raise UsageError(f"`--peers` knows {', '.join(PEERS)}, not {', '.join(sorted(unknown))}")
    if "asgi" in peers and importlib.util.find_spec("aiohttp") is None:
        raise UsageError("the peer `asgi` needs aiohttp, which comes with the extra `cpu` or `gpu`: leave it out")
    for peer in peers:
        if peer in PROGRAMS and installed(peer) is None:
            raise UsageError(f"the peer `{peer}` is not installed, leave it out or run: {INSTALL}")
    return [peer for peer in PEERS if peer in peers]


def installed(peer: str) -> str | None:
    """The program of a peer, of the peers' environment or of the PATH; None where there is none."""
    own = str(Path(sys.prefix) / "peers" / "bin")
    return shutil.which(PROGRAMS[peer], path=os.pathsep.join([own, os.environ.get("PATH", "")]))


def one_of(name: str) -> tuple[str, int]:
    """The candidate that is one worker of `name` as it is now, and how many workers `name` has."""
    one, _, workers = name.partition(AT)[0].partition(TIMES)
    return one, int(workers or 1)


@contextmanager
def engine(folder: Path, events: int, pause_ms: int = 0) -> Iterator[int]:
    """Port of an engine on the last core whose streams have so many events, one each `pause_ms`."""
    port = free_port()
    command = [str(built("engine", folder)), str(port), str(events), str(pause_ms)]
    with running(command, port, last_core()):
        yield port


@contextmanager
def candidate(name: str, folder: Path, upstream: int) -> Iterator[tuple[int, psutil.Process | None]]:
    """A candidate before `upstream` on the first core, several workers on as many: its port and process.

    Raises:
        UsageError: it does not start.
    """
    if name == "direct":
        yield upstream, None
        return
    port = free_port()
    with ExitStack() as stack:
        one, workers = one_of(name)
        cores = set(sorted(os.sched_getaffinity(0))[:workers])
        also = dict(OPEN) if one == "litellm" else {}
        guarded = True
        if revision := name.partition(AT)[2]:
            also["PYTHONPATH"] = str(tree := checkout(revision, folder))
            guarded = (tree / "serving" / "guard").exists()
        if one in OURS:
            command = _ours(one, workers, folder, port, upstream, stack, guarded)
        else:
            command = _peer(one, folder, port, upstream)
        if one in OURS[1:] and spans():
            also["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{upstream}"
        yield port, stack.enter_context(running(command, port, cores, folder, also))


def spans() -> bool:
    """Whether spans can be made here, of 1 % of requests; the engine takes them."""
    return importlib.util.find_spec("opentelemetry") is not None and (
        importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    )


def _peer(name: str, folder: Path, port: int, upstream: int) -> list[str]:
    at = f"http://127.0.0.1:{upstream}"
    if name == "nginx":
        config = folder / "proxy.conf"
        config.write_text(nginx_config(folder, port, upstream))
        return ["nginx", "-c", str(config)]
    if name == "asgi":
        return [sys.executable, "-c", f"from bench.gateway.candidates.asgi import serve; serve({port}, {upstream})"]
    program = str(installed(name))
    if name == "sglang":
        return [program, "launch", "--worker-urls", at, "--host", "127.0.0.1", "--port", str(port),
                "--prometheus-port", str(free_port()), "--log-level", "error"]  # fmt: skip
    config = folder / "litellm.yaml"
    model = {"model": "openai/m", "api_base": f"{at}/v1", "api_key": "any"}
    config.write_text(json.dumps({"model_list": [{"model_name": "auto", "litellm_params": model}]}))
    return [program, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]


def _ours(
    name: str, workers: int, folder: Path, port: int, upstream: int, stack: ExitStack, guarded: bool
) -> list[str]:
    at = f"{{url: 'http://127.0.0.1:{upstream}/v1', model: m}}"
    mode = "off" if name in (BARE, UNGUARDED) else "enforce"
    text = f"engines: {{teacher: {at}, student: {at}}}\n" + (f"guard: {{mode: {mode}}}\n" if guarded else "")
    if name != BARE:
        mac = hmac.new(SECRET.encode(), KEY.encode(), hashlib.sha256).hexdigest()
        text += ALL_ON.format(redis=_redis(folder / f"redis-{port}", stack), secret=SECRET, mac=mac)
    config = folder / "gateway.yaml"
    config.write_text(text)
    state = folder / f"state-{port}"
    stack.callback(shutil.rmtree, state, ignore_errors=True)
    program = "bench.gateway.candidates.unredacted" if name == UNREDACTED else "understudy"
    several = ["env", f"UNDERSTUDY_GATEWAY__WORKERS={workers}"] if workers > 1 else []
    return [
        *several, sys.executable, "-m", program, "serve",
        "--config", str(config), "--port", str(port), "--gateway-only",
        *(("--state", str(state)) if name != BARE else ()),
    ]  # fmt: skip


def _redis(folder: Path, stack: ExitStack) -> str:
    folder.mkdir(exist_ok=True)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    server = RedisServer(folder, durable=False)
    url = server.start()
    stack.callback(server.stop)
    if server.pid is not None:
        core = str(max(last_core()))
        subprocess.run(["taskset", "-a", "-cp", core, str(server.pid)], check=True, capture_output=True)
    return url


def nginx_config(folder: Path, port: int, upstream: int) -> str:
    """A configuration of one worker in the foreground that passes everything on."""
    return f"""daemon off; worker_processes 1; pid {folder}/{port}.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; keepalive_requests 1000000000;
  client_body_buffer_size 128k; client_max_body_size 8m;
  upstream up {{ server 127.0.0.1:{upstream}; keepalive 256; }}
  server {{ listen 127.0.0.1:{port} backlog=4096; default_type application/json;
    location / {{ proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; proxy_pass http://up; }}
  }} }}
"""
