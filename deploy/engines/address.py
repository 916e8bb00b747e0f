"""The base URL of an engine, understood in one way. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from deploy.engines.names import API


def api_base(url: str) -> str:
    """Where the API of the engine at `url` lies, without a slash at its end.

    `/v1` is added where `url` has no path: http://h:1 means http://h:1/v1, while https://h/v1beta/openai, /api/v3 or
    /compatible-mode/v1 are left alone.
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or API}"


def api_url(url: str, path: str) -> str:
    """Where `path` of the API of the engine at `url` is asked: a query of `url`, such as ?api-version=1, stays."""
    query = urlsplit(url).query
    return f"{api_base(url)}{path}?{query}" if query else api_base(url) + path


def server_base(url: str) -> str:
    """Where health and metrics of the engine at `url` lie: the API's base without a last `/v1`."""
    return api_base(url).removesuffix(API)
