"""Links that grow slow, break, or fall silent without breaking: Toxiproxy between the parts."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import httpx

from trials.system import ROOT, free_ports

SHARED = ROOT.parent / "shared" / "bin"


def toxiproxy(folder: Path) -> str:
    """Path of toxiproxy-server: of PATH, else of ../shared/bin, unpacked into `folder`; empty without one."""
    if found := shutil.which("toxiproxy-server"):
        return found
    if not (SHARED / "unpack").is_file():
        return ""
    subprocess.run([str(SHARED / "unpack"), str(folder)], capture_output=True, timeout=120)
    path = folder / "toxiproxy-server"
    return str(path) if path.is_file() else ""


class Links:
    """A Toxiproxy with one proxy for each link."""

    def __init__(self, program: str, log: Path) -> None:
        port = free_ports(1)[0]
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [program, "-host", "127.0.0.1", "-port", str(port)], stdout=out, stderr=out, start_new_session=True
            )
        self._api = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5, trust_env=False)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                self._api.get("/version").raise_for_status()
                return
            except httpx.HTTPError:
                time.sleep(0.05)
        raise RuntimeError(f"toxiproxy did not come up: see {log}")

    def add(self, name: str, listen: int, upstream: int) -> None:
        """Let `listen` lead to `upstream`, both on loopback."""
        row = {"name": name, "listen": f"127.0.0.1:{listen}", "upstream": f"127.0.0.1:{upstream}", "enabled": True}
        self._api.post("/proxies", json=row).raise_for_status()

    def slow(self, name: str) -> None:
        """Answers take 100 to 500 ms."""
        self._toxic(name, "latency", {"latency": 300, "jitter": 200})

    def silent(self, name: str) -> None:
        """Half open: nothing comes through, and nobody is told."""
        self._toxic(name, "timeout", {"timeout": 0})

    def broken(self, name: str) -> None:
        """Connections are closed, and new ones refused."""
        self._api.post(f"/proxies/{name}", json={"enabled": False}).raise_for_status()

    def heal(self, name: str) -> None:
        """As it was."""
        for toxic in self._api.get(f"/proxies/{name}/toxics").json():
            self._api.delete(f"/proxies/{name}/toxics/{toxic['name']}")
        self._api.post(f"/proxies/{name}", json={"enabled": True}).raise_for_status()

    def close(self) -> None:
        """End it."""
        self._api.close()
        self._process.kill()
        self._process.wait()

    def _toxic(self, name: str, kind: str, attributes: dict[str, int]) -> None:
        for stream in ("upstream", "downstream"):
            row = {"name": f"{kind}-{stream}", "type": kind, "stream": stream, "attributes": attributes}
            self._api.post(f"/proxies/{name}/toxics", json=row).raise_for_status()
