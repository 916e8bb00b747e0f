"""How long a prompt may be: the gateway's limit, or a smaller one of the tenant's."""

from __future__ import annotations

from typing import NamedTuple

from serving.gateway.config import TenantLimits
from understudy.errors import TooLarge


class PromptLimit(NamedTuple):
    """A number of characters, and the setting that says so."""

    characters: int
    setting: str

    def check(self, length: int, param: str) -> None:
        """Refuse a prompt of `length` characters, found in the field `param`, that is longer.

        Raises:
            TooLarge: it is.
        """
        if length > self.characters:
            raise TooLarge(
                f"the prompt has {length} characters, more than {self.characters} ({self.setting})",
                param=param, code="prompt_too_large",
            )  # fmt: skip


def prompt_limit(everybody: int | None, tenant: str, limits: TenantLimits | None) -> PromptLimit | None:
    """The smaller of what everybody and what a tenant may send; None: any length."""
    own = None if limits is None else limits.max_prompt
    if own is not None and (everybody is None or own < everybody):
        return PromptLimit(own, f"gateway.tenants, {tenant}: max_prompt")
    return None if everybody is None else PromptLimit(everybody, "gateway.max_prompt")
