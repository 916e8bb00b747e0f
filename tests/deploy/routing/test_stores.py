from __future__ import annotations

import pytest

from deploy.routing.stores import open_routing


def test_routing_without_any_place_is_refused() -> None:
    with pytest.raises(ValueError, match="state directory or a Redis"):
        open_routing(None, "")
