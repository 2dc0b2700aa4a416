"""Amazon Web Services: CloudFormation's stacks, and SST's state bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr

from docks.adapter import DockFault, DockInput, Finding, Look
from docks.amazon import client, error_code, faults
from docks.cloudformation import StackWatch
from docks.inputs import EndpointUrl, Names, Stages, region_like
from docks.sst import StageWatch
from docks.sst_home import BucketHome

_BOOTSTRAP = "/sst/bootstrap"


class AwsSettings(DockInput):
    """What is read of an account, in one region."""

    region: Annotated[str, AfterValidator(region_like)] = Field(title="Region", description="Like eu-west-1.")
    stacks: Names = Field(
        (),
        title="CloudFormation stacks to watch",
        description="One name a line; * stands for anything. Empty: none.",
    )
    sst: bool = Field(
        False, title="Read SST's state", description="From the bucket that the parameter /sst/bootstrap names."
    )
    stages: Stages = Field((), title="SST stages", description="One a line, as app/stage. Empty: all in the bucket.")
    endpoint_url: EndpointUrl = Field(
        "", title="Endpoint", description="Only for a stand-in of AWS; empty: AWS itself."
    )


class AwsCredentials(DockInput):
    """An access key that may read: cloudformation:Describe*, ssm:GetParameter, s3:GetObject, s3:ListBucket."""

    access_key_id: SecretStr = Field(title="Access key ID", min_length=4, max_length=200)
    secret_access_key: SecretStr = Field(title="Secret access key", min_length=4, max_length=500)
    session_token: SecretStr = Field(
        SecretStr(""), title="Session token", description="Only for temporary credentials.", max_length=4_000
    )


class Aws:
    """The adapter."""

    name = "aws"
    label = "Amazon Web Services"
    settings: type[DockInput] = AwsSettings
    credentials: type[DockInput] = AwsCredentials

    def sync(self, look: Look) -> Iterator[Finding]:
        """See `Adapter`."""
        settings, credentials, memory = look.settings, look.credentials, look.memory
        assert isinstance(settings, AwsSettings) and isinstance(credentials, AwsCredentials)

        def service(name: str) -> Any:
            return client(
                name,
                key=credentials.access_key_id.get_secret_value(),
                secret=credentials.secret_access_key.get_secret_value(),
                session_token=credentials.session_token.get_secret_value(),
                region=settings.region,
                endpoint_url=settings.endpoint_url,
            )

        if settings.stacks:
            yield from StackWatch(service("cloudformation"), settings.stacks, memory.get("stacks") or {}).look()
        if settings.sst:
            home = BucketHome(service("s3"), state_bucket(service("ssm")), suffix=".json")
            yield from StageWatch(home, settings.stages, memory.get("stages") or {}, look.now).look()


def state_bucket(ssm: Any) -> str:
    """The name of SST's state bucket, from the parameter that SST writes when it first meets an account."""
    with faults(f"read the parameter {_BOOTSTRAP}"):
        try:
            text = ssm.get_parameter(Name=_BOOTSTRAP)["Parameter"]["Value"]
        except Exception as error:
            if error_code(error) == "ParameterNotFound":
                raise DockFault(
                    f"There is no parameter {_BOOTSTRAP} in this region: SST has not been used here. Choose the region "
                    "of SST's home, or leave SST out.",
                    permanent=True,
                ) from None
            raise
    try:
        bucket = json.loads(text)["state"]
    except (ValueError, KeyError, TypeError):
        bucket = None
    if not isinstance(bucket, str) or not bucket:
        raise DockFault(f"The parameter {_BOOTSTRAP} names no state bucket.", permanent=True)
    return bucket
