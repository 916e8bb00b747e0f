"""The files of the pages, each at its own address and under a policy that keeps a browser from asking anybody else."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

from fastapi import APIRouter, Response

ADDRESS = "/experiments"
FILES = {
    ADDRESS: ("experiments.html", "text/html"),
    f"{ADDRESS}/page.js": ("experiments.js", "text/javascript"),
    f"{ADDRESS}/page.css": ("experiments.css", "text/css"),
    f"{ADDRESS}/uplot.js": ("uPlot.iife.min.js", "text/javascript"),
    f"{ADDRESS}/uplot.css": ("uPlot.min.css", "text/css"),
}
"""{address: (file, type)}. They ask for no token: the page asks its reader for it and sends it with each request."""
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


def pages() -> APIRouter:
    """Their routes."""
    router = APIRouter(include_in_schema=False)
    for address in FILES:
        router.add_api_route(address, _answering(address), methods=["GET"])
    return router


def _answering(address: str) -> Callable[[], Response]:
    name, kind = FILES[address]
    content = files(__package__).joinpath(name).read_bytes()

    def answer() -> Response:
        return Response(content, media_type=f"{kind}; charset=utf-8", headers=HEADERS)

    return answer
