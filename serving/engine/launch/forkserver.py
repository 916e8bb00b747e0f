"""The fork server: imports vLLM once and forks each engine from itself, asked by agents over a Unix socket.

One JSON object a line: {"op": "fork", "spec": {...}}, {"op": "list"}, {"op": "kill", "slot", "signal"};
one object answers. Engines die with the server. Python's own multiprocessing.forkserver was considered:
it starts pickled callables for one parent, and cannot be asked by others or report exits to them.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import logging
import os
import selectors
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from serving.engine import compat
from serving.engine.launch.launcher import LaunchSpec, signal_engine
from understudy import logs
from understudy.process.lifeline import die_with_parent

log = logging.getLogger("understudy.forkserver")
MAX_LINE = 1 << 16
GRACE = 5.0


class ForkServer:
    """Engines by slot, and the sockets of those who ask. Single-threaded, forks from the main thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engines: dict[str, tuple[int, int | None]] = {}
        self._buffers: dict[socket.socket, bytes] = {}
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._stopping = False

    def serve(self) -> None:
        """Answer until SIGTERM or SIGINT, then end all engines; `bind` comes first."""
        wake_read, wake_write = socket.socketpair()
        wake_write.setblocking(False)
        signal.set_wakeup_fd(wake_write.fileno(), warn_on_full_buffer=False)
        self._selector.register(wake_read, selectors.EVENT_READ, "wake")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while not self._stopping:
            for key, _ in self._selector.select(timeout=1.0):
                if key.data == "wake":
                    wake_read.recv(4096)
                elif key.data == "listen":
                    self._accept()
                else:
                    self._read(key.fileobj)  # type: ignore[arg-type]
            self._reap()
        self._shutdown()

    def bind(self) -> None:
        """Listen, so that whoever asks during the imports waits instead of thinking that nobody is there."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        mask = os.umask(0o177)
        try:
            self._listener.bind(str(self._path))
        finally:
            os.umask(mask)
        self._listener.listen(16)
        self._selector.register(self._listener, selectors.EVENT_READ, "listen")

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _accept(self) -> None:
        peer, _ = self._listener.accept()
        peer.settimeout(2.0)
        self._buffers[peer] = b""
        self._selector.register(peer, selectors.EVENT_READ, "peer")

    def _close(self, peer: socket.socket) -> None:
        self._selector.unregister(peer)
        self._buffers.pop(peer, None)
        peer.close()

    def _read(self, peer: socket.socket) -> None:
        try:
            data = peer.recv(65536)
            buffer = self._buffers[peer] + data
            *lines, rest = buffer.split(b"\n")
            if not data or len(rest) > MAX_LINE:
                return self._close(peer)
            self._buffers[peer] = rest
            for line in lines:
                peer.sendall(json.dumps(self._answer(line)).encode() + b"\n")
        except OSError:
            self._close(peer)

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            asked = json.loads(line)
            match asked.get("op"):
                case "fork":
                    return {"ok": True, "pid": self._fork(LaunchSpec.from_json(asked["spec"]))}
                case "list":
                    self._reap()
                    engines = {s: {"pid": p, "exit": e} for s, (p, e) in self._engines.items()}
                    return {"ok": True, "engines": engines}
                case "kill":
                    return {"ok": self._kill(asked["slot"], signal.Signals(asked["signal"]))}
                case other:
                    return {"ok": False, "error": f"unknown operation {other!r}"}
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}

    def _fork(self, spec: LaunchSpec) -> int:
        pid, code = self._engines.get(spec.slot, (0, 0))
        if pid and code is None:
            raise ValueError(f"slot {spec.slot} still has the process {pid}")
        Path(spec.log).parent.mkdir(parents=True, exist_ok=True)
        pid = os.fork()
        if pid == 0:
            self._child(spec)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        self._engines[spec.slot] = (pid, None)
        log.info("forked %s as process %d", spec.slot, pid)
        return pid

    def _child(self, spec: LaunchSpec) -> None:
        """Become the engine; never returns."""
        code = 1
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            self._selector.close()
            self._listener.close()
            for peer in self._buffers:
                peer.close()
            redirect_output(spec.log)
            os.environ.update(spec.env)
            tempfile.tempdir = None  # the folder that was found for the server is kept otherwise
            compat.bind_threads(spec.cpus)
            compat.serve(spec.argv)
            code = 0
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        except BaseException:
            logging.exception("engine %s ended", spec.slot)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _kill(self, slot: str, number: signal.Signals) -> bool:
        pid, code = self._engines.get(slot, (0, 0))
        if pid and code is None:
            signal_engine(pid, number)
        return bool(pid)

    def _reap(self) -> None:
        slots = {pid: slot for slot, (pid, code) in self._engines.items() if code is None}
        for pid, slot in slots.items():
            with contextlib.suppress(ChildProcessError):
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    code = os.waitstatus_to_exitcode(status)
                    self._engines[slot] = (pid, code)
                    signal_engine(pid, signal.SIGKILL)
                    log.warning("engine %s (process %d) ended with %d", slot, pid, code)

    def _shutdown(self) -> None:
        for slot in self._engines:
            self._kill(slot, signal.SIGTERM)
        limit = time.monotonic() + GRACE
        while time.monotonic() < limit and any(code is None for _, code in self._engines.values()):
            self._reap()
            time.sleep(0.05)
        for slot in self._engines:
            self._kill(slot, signal.SIGKILL)
        self._path.unlink(missing_ok=True)


def redirect_output(path: str) -> None:
    """Send standard output and error to the file `path`, appending."""
    descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o640)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def main() -> int:
    """Import vLLM, then serve."""
    parser = argparse.ArgumentParser(prog="python -m serving.engine.launch.forkserver", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True)
    options = parser.parse_args()
    logs.set_up()
    began = time.monotonic()
    for name, value in {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}.items():
        os.environ.setdefault(name, value)
    os.environ.update(compat.UNCOMPILED)
    os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "fork"
    gc.disable()
    try:
        compat.require_forkable()
    except compat.EngineVersionError as error:
        log.error("%s", error)
        return error.exit_code
    server = ForkServer(options.socket)
    server.bind()
    for line in compat.preload():
        log.warning("not preloaded: %s", line)
    compat.patch_for_fork()
    # Every process forked from here on, the engines' own children too, dies with its parent.
    os.register_at_fork(after_in_child=die_with_parent)
    gc.collect()
    gc.freeze()
    gc.enable()
    log.info("ready after %.1f s", time.monotonic() - began)
    server.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
