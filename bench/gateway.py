"""`understudy bench gateway`: the request path beside nginx, before the same upstream, in one run.

The upstream of short replies is nginx itself; that of streams is a small event loop that writes 32 events one by
one. wrk drives on the last core, the candidate runs on the first; compare within one run only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from feedback.store.server import free_port
from understudy.errors import UsageError
from understudy.files import write_json

BODY = {"model": "teacher", "messages": [{"role": "user", "content": "你好，我的订单什么时候到？" * 12}]}
REPLY = {"id": "chatcmpl-0", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "x" * 300}, "finish_reason": "stop"}]}  # fmt: skip
EVENT = {"id": "chatcmpl-0", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
    {"index": 0, "delta": {"content": " token"}, "finish_reason": None}]}  # fmt: skip
EVENTS = 32
WORKLOADS = (("short", 1), ("short", 16), ("short", 128), ("stream", 16))
"""(kind, connections)."""
CANDIDATES = ("direct", "nginx", "understudy", "understudy-capture")
PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Result:
    """One candidate under one workload; latencies in milliseconds, CPU of the candidate in microseconds."""

    per_second: float
    p50: float
    p99: float
    cpu_us: float
    rss_mb: float
    errors: int


def main(argv: list[str]) -> int:
    """Entry point of the benchmark."""
    given = parse(argv)
    unknown = set(given.peers.split(",")) - set(CANDIDATES)
    if unknown:
        raise UsageError(f"`--peers` knows nginx, not {', '.join(sorted(unknown))}")
    for tool in ("nginx", "wrk"):
        if shutil.which(tool) is None:
            raise UsageError(f"this benchmark needs `{tool}`: run `scripts/system-packages`")
    names = [n for n in CANDIDATES if n.split("-")[0] in ("direct", "understudy", *given.peers.split(","))]
    seconds = 2.0 if given.quick else given.seconds
    with tempfile.TemporaryDirectory(prefix="bench-gateway-") as folder:
        results = measure(Path(folder), names, seconds)
    report = {"benchmark": "gateway", "cores": os.cpu_count(), "seconds": seconds, **ratios(results)}
    show(report)
    if given.json:
        write_json(given.json, report)
    return 0


def parse(argv: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="understudy bench gateway", epilog="example: understudy bench gateway --quick --json gateway.json"
    )
    parser.add_argument("--peers", default="nginx", help="whom to compare with (nginx)")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of each measurement")
    parser.add_argument("--quick", action="store_true", help="two seconds each")
    parser.add_argument("--json", type=Path, help="write the report there")
    return parser.parse_args(argv)


def measure(folder: Path, names: list[str], seconds: float) -> dict[str, dict[str, Result]]:
    """Results by workload and candidate; the candidates take turns, so that a noisy machine is fair."""
    results: dict[str, dict[str, Result]] = {}
    with upstreams(folder) as ports:
        for kind, connections in WORKLOADS:
            found = results.setdefault(f"{kind} c={connections}", {})
            for name in names:
                with candidate(name, folder, ports[kind]) as (port, process):
                    found[name] = drive(folder, port, process, kind, connections, seconds)
    return results


@contextmanager
def upstreams(folder: Path) -> Iterator[dict[str, int]]:
    """Ports of the two upstreams, on the last core."""
    ports = {"short": free_port(), "stream": free_port()}
    config = folder / "upstream.conf"
    config.write_text(nginx_config(folder, ports["short"], f"return 200 '{json.dumps(REPLY)}';"))
    code = f"from bench.gateway import stream_upstream; stream_upstream({ports['stream']})"
    short = running(["nginx", "-c", str(config)], ports["short"], last_core())
    stream = running([sys.executable, "-c", code], ports["stream"], last_core())
    with short, stream:
        yield ports


@contextmanager
def candidate(name: str, folder: Path, upstream: int) -> Iterator[tuple[int, psutil.Process | None]]:
    """A candidate before `upstream` on the first core: its port and process."""
    if name == "direct":
        yield upstream, None
        return
    port = free_port()
    if name == "nginx":
        config = folder / "proxy.conf"
        config.write_text(nginx_config(folder, port, "proxy_pass http://up;", upstream))
        command = ["nginx", "-c", str(config)]
    else:
        config = folder / "gateway.yaml"
        engines = f"engines: {{teacher: {{url: 'http://127.0.0.1:{upstream}/v1', model: m}}}}\n"
        away = 'redis: {url: "redis://127.0.0.1:1"}\n'  # copies are spooled, nobody takes them
        config.write_text(engines + (away if name.endswith("capture") else ""))
        command = [sys.executable, "-m", "understudy", "serve", "--config", str(config), "--port", str(port)]
    with running(command, port, {0}, folder) as process:
        yield port, process


def drive(
    folder: Path, port: int, process: psutil.Process | None, kind: str, connections: int, seconds: float
) -> Result:
    """Load `port` by wrk."""
    script = folder / f"{kind}.lua"
    body = json.dumps({**BODY, "stream": kind == "stream"}, ensure_ascii=False)
    script.write_text(
        f'wrk.method="POST"\nwrk.headers["content-type"]="application/json"\nwrk.body=[==[{body}]==]\n'
        "function done(s, l, r) local e = s.errors\n"
        "io.write(string.format('RES %d %d %d %d %d\\n', s.requests, s.duration, l:percentile(50), "
        "l:percentile(99), e.status + e.connect + e.read + e.timeout)) end\n"
    )
    core = str(max(last_core()))
    command = ["taskset", "-c", core, "wrk", "-t1", f"-c{connections}", "--timeout", "10", "-s", str(script)]
    url = f"http://127.0.0.1:{port}{PATH}"
    subprocess.run([*command, "-d1", url], capture_output=True, check=True)
    before = cpu(process)
    done = subprocess.run([*command, f"-d{max(1, round(seconds))}", url], capture_output=True, text=True, check=True)
    after = cpu(process)
    match = re.search(r"RES (\d+) (\d+) (\d+) (\d+) (\d+)", done.stdout)
    assert match, done.stdout
    requests, micros, p50, p99, errors = map(int, match.groups())
    rss = 0.0 if process is None else sum(p.memory_info().rss for p in family(process)) / (1 << 20)
    used = (after - before) * 1e6 / max(requests, 1)
    return Result(requests / micros * 1e6, p50 / 1000, p99 / 1000, used, rss, errors)


def ratios(results: dict[str, dict[str, Result]]) -> dict[str, Any]:
    """The report: figures, what each candidate adds to the direct way, and its rate as a share of nginx's."""
    report: dict[str, Any] = {}
    for workload, found in results.items():
        direct, nginx = found["direct"], found.get("nginx")
        report[workload] = {}
        for name, result in found.items():
            report[workload][name] = {
                **asdict(result),
                "added_p50": result.p50 - direct.p50,
                "added_p99": result.p99 - direct.p99,
                "of_nginx": result.per_second / nginx.per_second if nginx else None,
            }
    return {"workloads": report}


def show(report: dict[str, Any]) -> None:
    """The table."""
    table = Table(title="requests or streams a second, milliseconds, microseconds of CPU a request")
    for column in ("workload", "candidate"):
        table.add_column(column)
    for column in ("per s", "of nginx", "p50", "p99", "added p50", "CPU us", "RSS MB", "errors"):
        table.add_column(column, justify="right")
    for workload, found in report["workloads"].items():
        for name, r in found.items():
            share = "" if r["of_nginx"] is None else f"{r['of_nginx']:.2f}"
            figures = [f"{r[k]:.2f}" for k in ("p50", "p99", "added_p50")]
            tail = [f"{r['cpu_us']:.0f}", f"{r['rss_mb']:.0f}", str(r["errors"])]
            table.add_row(workload, name, f"{r['per_second']:.0f}", share, *figures, *tail)
    Console().print(table)


def nginx_config(folder: Path, port: int, action: str, upstream: int | None = None) -> str:
    """A configuration of one worker in the foreground."""
    servers = f"upstream up {{ server 127.0.0.1:{upstream}; keepalive 256; }}" if upstream else ""
    return f"""daemon off; worker_processes 1; pid {folder}/{port}.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; keepalive_requests 1000000000;
  {servers}
  server {{ listen 127.0.0.1:{port} backlog=4096; default_type application/json;
    location / {{ proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; {action} }} }} }}
"""


@contextmanager
def running(command: list[str], port: int, cores: set[int], folder: Path | None = None) -> Iterator[psutil.Process]:
    """A process bound to `cores`, once it listens; ended with its children afterwards."""
    root = str(Path(__file__).resolve().parent.parent)
    env = {**os.environ, "PYTHONPATH": root}
    pinned = ["taskset", "-c", ",".join(map(str, sorted(cores))), *command]
    process = subprocess.Popen(pinned, env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return once `port` answers a completion with 200."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{PATH}", json.dumps(BODY).encode())
    for _ in range(200):
        try:
            with urllib.request.urlopen(request, timeout=2) as reply:
                reply.read()
                return
        except OSError as error:
            if process.poll() is not None:
                raise UsageError(f"a candidate ended at once with code {process.returncode}") from error
            time.sleep(0.1)
    raise UsageError("a candidate did not answer within 20 s")


def stream_upstream(port: int) -> None:
    """Serve streams of 32 events, each a write of its own."""
    import uvloop

    event = f"data: {json.dumps(EVENT)}\n\n".encode()
    parts = [b"%x\r\n%b\r\n" % (len(event), event)] * EVENTS
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                asked = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: *(\d+)", asked, re.IGNORECASE)
                await reader.readexactly(int(length.group(1)) if length else 0)
                writer.write(head)
                for part in parts:
                    writer.write(part)
                    await asyncio.sleep(0)
                writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=4096)
        await server.serve_forever()

    uvloop.run(run())


def cpu(process: psutil.Process | None) -> float:
    """CPU seconds of a process and its children so far."""
    if process is None:
        return 0.0
    return sum(times.user + times.system for times in (p.cpu_times() for p in family(process)))


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and its children."""
    return [process, *process.children(recursive=True)]


def last_core() -> set[int]:
    """The core of upstream and load."""
    return {max(os.sched_getaffinity(0))}
