"""Every provider by its name. Adding one: copy the nearest module, and give it a line here."""

from __future__ import annotations

import json
from collections.abc import Mapping

from cryptography.fernet import InvalidToken, MultiFernet
from pydantic import SecretStr, ValidationError

from docks.adapter import Adapter, DockFault, DockInput
from docks.aws import Aws
from docks.cloudflare import Cloudflare
from docks.local import Local
from provisioning.errors import FaultyForm
from provisioning.inputs import read

PROVIDERS: dict[str, Adapter] = {adapter.name: adapter for adapter in (Aws(), Cloudflare(), Local())}
"""Every provider that can be connected."""


def adapter_of(provider: str) -> Adapter:
    """The adapter of a dock; a permanent `DockFault` where this version has none."""
    adapter = PROVIDERS.get(provider)
    if adapter is None:
        raise DockFault(f"This version of Slipway knows no provider {provider!r}.", permanent=True)
    return adapter


def checked(
    adapter: Adapter, given: Mapping[str, object], *, has_credentials: bool
) -> tuple[DockInput, DockInput | None]:
    """Settings and credentials out of what a form or program gave; the credentials are None where all of them were left
    open and there are some already (`has_credentials`). Raises `FaultyForm` with every fault at its field."""
    faults: dict[str, str] = {}
    settings: DockInput | None = None
    credentials: DockInput | None = None
    names = adapter.credentials.model_fields
    try:
        settings = read(adapter.settings, {key: given[key] for key in adapter.settings.model_fields if key in given})
    except FaultyForm as error:
        faults |= error.faults
    secrets = {key: given[key] for key in names if str(given.get(key) or "").strip()}
    if secrets or not has_credentials:
        try:
            credentials = read(adapter.credentials, secrets)
        except FaultyForm as error:
            faults |= error.faults
    if settings is None or faults:
        raise FaultyForm(faults)
    return settings, credentials


def sealed(credentials: DockInput, cipher: MultiFernet) -> str:
    """Credentials as they are stored."""
    told = {name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in credentials}
    return cipher.encrypt(json.dumps(told).encode()).decode()


def opened(adapter: Adapter, stored: str | None, cipher: MultiFernet) -> DockInput:
    """Stored credentials, for the adapter alone. A permanent `DockFault` where they cannot be opened."""
    try:
        told = json.loads(cipher.decrypt((stored or "").encode()))
        return adapter.credentials.model_validate(told)
    except (InvalidToken, ValueError, ValidationError):
        raise DockFault(
            "The stored credentials cannot be opened: the secret key has changed, or the provider wants others. Enter "
            "them again.",
            permanent=True,
        ) from None


def settings_of(adapter: Adapter, stored: Mapping[str, object]) -> DockInput:
    """Stored settings. A permanent `DockFault` where this version wants others."""
    try:
        return adapter.settings.model_validate(dict(stored))
    except ValidationError:
        raise DockFault(
            "The dock's settings are not complete any more. Edit it and save it again.", permanent=True
        ) from None
