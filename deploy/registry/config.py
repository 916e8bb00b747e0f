"""Configuration of the registry."""

from __future__ import annotations

from pydantic import Field

from understudy.config import Section


class RegistryConfig(Section):
    """Whose signatures on versions count, and how much of what is over is kept."""

    trusted_keys: tuple[str, ...] = ()
    """Ids of keys beside the state directory's own (the names, without .pub, of files in registry/keys/)."""
    keep_rounds: int = Field(default=50, ge=1)
    """Finished rounds kept with their texts and weights; of older ones only what each stage summed up."""
    keep_archived: int = Field(default=8, ge=0)
    """Archived versions kept with their weights; of older ones only the manifest."""
    audit_bytes: int = Field(default=64 << 20, ge=1 << 20)
    """Size from which on the audit log goes on in a new file, its chain carried on; no part is ever removed."""
