"""Where the API of an engine lies: one rule."""

from __future__ import annotations

import pytest

from deploy.engines.address import api_base, api_url, server_base


@pytest.mark.parametrize(
    ("url", "api", "server"),
    [
        ("http://h:1", "http://h:1/v1", "http://h:1"),
        ("http://h:1/", "http://h:1/v1", "http://h:1"),
        ("http://h:1/v1", "http://h:1/v1", "http://h:1"),
        ("https://[::1]:1/proxy/v1/", "https://[::1]:1/proxy/v1", "https://[::1]:1/proxy"),
        ("https://x/v1beta/openai", "https://x/v1beta/openai", "https://x/v1beta/openai"),
        ("https://x/api/v3/", "https://x/api/v3", "https://x/api/v3"),
        ("https://x/compatible-mode/v1", "https://x/compatible-mode/v1", "https://x/compatible-mode"),
    ],
)
def test_v1_is_added_only_where_there_is_no_path(url: str, api: str, server: str) -> None:
    assert (api_base(url), server_base(url)) == (api, server)
    assert api_base(api) == api
    assert (api_url(url, "/models"), api_url(api + "?k=1", "/models")) == (f"{api}/models", f"{api}/models?k=1")
