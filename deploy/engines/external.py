"""Engines that somebody else runs: where they are, their keys, and the slots that they are to a routing document."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from ab.running.phases import begun
from deploy.routing.document import EXTERNAL, RouterConfig, RoutingDocument, ShadowRates, SlotView
from understudy.config import Config, Section
from understudy.errors import ConfigError

ROLES = ("teacher", "student", "embeddings")
"""What an engine of somebody else can be here: keys of the section `engines`."""


class ExternalApi(Section):
    """An API of OpenAI's form that somebody else runs."""

    url: str
    """Base of the API, such as https://api.example.com/v1beta/openai; `/v1` is added where it has no path."""
    model: str
    """Its name there, put into the body's `model`."""
    api_key_env: str = ""
    """Name of the environment variable that holds the key; empty: no key."""

    @field_validator("url")
    @classmethod
    def _http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("an address that begins with http:// or https:// is needed")
        return value.rstrip("/")

    @property
    def key(self) -> str:
        """The key, from its environment variable without white space around it; empty without one."""
        return os.environ.get(self.api_key_env, "").strip() if self.api_key_env else ""

    @property
    def lacks_key(self) -> bool:
        """Whether a variable is named for the key, and is not set or empty."""
        return bool(self.api_key_env) and not self.key

    def check_key(self, section: str) -> None:
        """Look for the key before anything starts; `section` is the path of this one in the configuration.

        Raises:
            ConfigError: `api_key_env` names an environment variable that is not set, is empty, or holds what no header
                can carry.
        """
        path = f"{section}.api_key_env"
        if not (self.key.isascii() and self.key.isprintable()):
            raise ConfigError(
                f"`{path}` names the environment variable {self.api_key_env}, which holds characters that no key has: "
                "printable ASCII alone goes into a header",
                param=path,
            )
        if self.lacks_key:
            raise ConfigError(
                f"`{path}` names the environment variable {self.api_key_env}, which is not set: "
                f"export {self.api_key_env}=KEY, or leave `{path}` out if no key is asked for",
                param=path,
            )


class ExternalEngine(ExternalApi):
    """An engine that somebody else runs, behind an OpenAI-compatible API."""

    daily_tokens: int | None = Field(default=None, gt=0)
    """Tokens a day (UTC) of answers, copies and scoring together; at that many, copies and learning stop until midnight
    and serving goes on. None: no cap."""

    probe_hours: float = Field(default=24.0, gt=0)
    """Hours between two askings of a few fixed prompts, by whose answers a teacher that was replaced shows."""

    @property
    def slot(self) -> SlotView:
        """The slot that it fills: always ready, since no agent reports on it. Without its key."""
        return SlotView(desired=EXTERNAL, version=EXTERNAL, ready=True, url=self.url, model=self.model)


External = Mapping[str, ExternalEngine]
"""Engines of others by role."""


def external_engines(config: Config) -> dict[str, ExternalEngine]:
    """Those of a configuration, for whoever may not know the owner of its section `engines`.

    Raises:
        ConfigError: the section is wrong.
    """
    section: Any = config.named("engines")
    return dict(section.external)


def check_keys(engines: External) -> None:
    """Look for the key of each, as `ExternalApi.check_key` does."""
    for role, engine in engines.items():
        engine.check_key(f"engines.{role}")


def static_document(engines: External, router: RouterConfig, shadow: ShadowRates | None = None) -> RoutingDocument:
    """Epoch 0 in memory, where no controller writes. `shadow`: for a worker; a gateway copies nothing."""
    places = {"teacher": "teacher", "student": "student-a"}
    document = RoutingDocument(
        slots={slot: engines[role].slot for role, slot in places.items() if role in engines},
        stable=EXTERNAL if "student" in engines else None, default=router.default,
        aliases=router.aliases, lines=tuple(router.lines.items()), experiments=router.experiments,
        phases={one.id: begun(one) for one in router.experiments},  # made once, not for each request
        shadow=shadow or ShadowRates(), reason="configuration",
    )  # fmt: skip
    return as_configured(document, engines)


def as_configured(document: RoutingDocument, engines: External) -> RoutingDocument:
    """`document` with address, model and key of engines that somebody else runs as they are configured here.

    Keys are never written anywhere, and go nowhere but to the address that is configured with them. Addresses in
    documents of earlier versions lack a last `/v1`.
    """
    slots = dict(document.slots)
    for name, slot in document.slots.items():
        engine = engines.get("teacher" if name == "teacher" else "student")
        if slot.version == EXTERNAL and engine is not None:
            slots[name] = slot.model_copy(update={"url": engine.url, "model": engine.model, "api_key": engine.key})
    return document.model_copy(update={"slots": slots})
