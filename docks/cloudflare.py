"""Cloudflare: SST's home in an R2 bucket, read through R2's S3 interface. Its keys have no suffix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from docks.adapter import DockInput, Finding, Look
from docks.amazon import client
from docks.inputs import EndpointUrl, Stages
from docks.sst import StageWatch
from docks.sst_home import BucketHome


class CloudflareSettings(DockInput):
    """Which bucket of which account."""

    account_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")] = Field(
        title="Account ID", description="32 digits and letters, on the overview page of R2."
    )
    bucket: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")] = Field(
        title="Bucket", description="SST's state bucket, named in its bootstrap: like sst-state-abcdef."
    )
    stages: Stages = Field((), title="SST stages", description="One a line, as app/stage. Empty: all in the bucket.")
    endpoint_url: EndpointUrl = Field("", title="Endpoint", description="Empty: R2 itself.")


class CloudflareCredentials(DockInput):
    """An R2 API token that may read objects."""

    access_key_id: SecretStr = Field(title="Access key ID", min_length=4, max_length=200)
    secret_access_key: SecretStr = Field(title="Secret access key", min_length=4, max_length=500)


class Cloudflare:
    """The adapter."""

    name = "cloudflare"
    label = "Cloudflare"
    settings: type[DockInput] = CloudflareSettings
    credentials: type[DockInput] = CloudflareCredentials

    def sync(self, look: Look) -> Iterator[Finding]:
        """See `Adapter`."""
        settings, credentials = look.settings, look.credentials
        assert isinstance(settings, CloudflareSettings) and isinstance(credentials, CloudflareCredentials)
        s3 = client(
            "s3",
            key=credentials.access_key_id.get_secret_value(),
            secret=credentials.secret_access_key.get_secret_value(),
            region="auto",
            endpoint_url=settings.endpoint_url or f"https://{settings.account_id}.r2.cloudflarestorage.com",
        )
        home = BucketHome(s3, settings.bucket, suffix="")
        yield from StageWatch(home, settings.stages, look.memory.get("stages") or {}, look.now).look()
