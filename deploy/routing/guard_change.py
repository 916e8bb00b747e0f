"""What an operator may change of the guard's rules, and the rules that come of it; pure."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from deploy.routing.guarding import AllowRule, GuardMode, GuardRules
from understudy.errors import BadRequest, NotFound

T = TypeVar("T")
Default = Literal["default"]
"""In the place of a value: that of the gateways' own settings again."""
DAY = 86_400.0
LONGEST_DAYS = 366.0
_Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class AllowWish(BaseModel):
    """A rule that is wanted, see `AllowRule`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    tenant: _Name | None = None
    system: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    user: str | None = Field(default=None, pattern="^[0-9a-f]{20}$")
    days: float = Field(gt=0, le=LONGEST_DAYS)
    """From now on, for which it holds."""


class GuardChange(BaseModel):
    """Of the rules in force what is to be another; what is not given stays."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    mode: GuardMode | Default | None = None
    tenant: _Name | None = None
    """Whose `mode`; None: everybody's whose tenant has none of its own."""
    flag: float | Default | None = None
    degrade: float | Default | None = None
    allow: AllowWish | None = None
    disallow: tuple[_Name, ...] = Field(default=(), max_length=100)
    """Ids of rules that end now."""


def changed(rules: GuardRules | None, change: GuardChange, now: float, identity: str, why: str) -> GuardRules | None:
    """`rules` after `change`, without those of its exceptions that are over at `now`; None where nothing is left.

    A new exception is called `identity`.

    Raises:
        NotFound: a rule that is to end is not there.
        BadRequest: what comes of it cannot be, such as thresholds in the wrong order.
    """
    held = rules or GuardRules()
    known = {rule.id for rule in held.allow}
    for name in change.disallow:
        if name not in known:
            raise NotFound(f"there is no rule {name}; `understudy guard show` lists them")
    modes = dict(held.tenants)
    if change.tenant is not None and change.mode is not None:
        modes.pop(change.tenant, None)
        if change.mode != "default":
            modes[change.tenant] = change.mode
    allow = [rule for rule in held.allow if rule.until > now and rule.id not in change.disallow]
    try:
        if change.allow is not None:
            wish = change.allow
            until = round(now + wish.days * DAY, 3)
            given = {"tenant": wish.tenant, "system": wish.system, "user": wish.user}
            allow.append(AllowRule(id=identity, until=until, why=why, **given))
        made = GuardRules(
            mode=held.mode if change.tenant is not None else _value(held.mode, change.mode),
            tenants=modes, flag=_value(held.flag, change.flag), degrade=_value(held.degrade, change.degrade),
            allow=tuple(allow),
        )  # fmt: skip
    except ValidationError as error:
        raise BadRequest("; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors())) from None
    return None if made == GuardRules() else made


def _value(held: T | None, given: T | Default | None) -> T | None:
    if given is None:
        return held
    return None if given == "default" else given
