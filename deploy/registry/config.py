"""Configuration of the registry."""

from __future__ import annotations

from understudy.config import Section


class RegistryConfig(Section):
    """Whose signatures on versions count."""

    trusted_keys: tuple[str, ...] = ()
    """Ids of keys beside the state directory's own (the names, without .pub, of files in registry/keys/)."""
