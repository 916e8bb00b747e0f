"""What a routing document says of the guard: thresholds and modes that were set while gateways run. Pure models."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def _unquoted(value: Any) -> Any:
    """YAML reads an unquoted `off` as False."""
    return "off" if value is False else value


GuardMode = Annotated[Literal["off", "observe", "enforce"], BeforeValidator(_unquoted)]
"""`off`: nothing is judged; `observe`: judged and counted, nothing changes; `enforce`: verdicts hold."""


class GuardRules(BaseModel):
    """Over the gateways' own settings, where they are given."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)
    mode: GuardMode | None = None
    tenants: dict[str, GuardMode] = Field(default_factory=dict)
    """By tenant, before `mode`."""
    flag: float | None = None
    """Log-odds from which on a text is flagged."""
    degrade: float | None = None
    """Log-odds from which on it is degraded."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.flag is not None and self.degrade is not None and self.degrade < self.flag:
            raise ValueError("`degrade` must not be below `flag`")
        return self
