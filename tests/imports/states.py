"""State files to import, as their tools write them."""

from __future__ import annotations

import json
from typing import Any

ROOT = "urn:pulumi:prod::shop::pulumi:pulumi:Stack::shop-prod"
SITE = "urn:pulumi:prod::shop::sst:aws:Nextjs::Web"
SENTINEL = "s3cr3t-s3nt1n3l"


def terraform(*names: str, serial: int = 7, lineage: str = "abc", **more: Any) -> bytes:
    """A state file of `aws_instance`s; `more` is what each instance has beside its attributes."""
    resources = [
        {
            "mode": "managed", "type": "aws_instance", "name": name,
            "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
            "instances": [
                {
                    "attributes": {
                        "id": f"i-{name}", "public_ip": "203.0.113.7", "password": SENTINEL, "user_data": SENTINEL,
                        "tags": {"key": SENTINEL},
                    },
                    "private": SENTINEL, **more,
                }
            ],
        }
        for name in names
    ]  # fmt: skip
    state = {"version": 4, "terraform_version": "1.9.0", "serial": serial, "lineage": lineage, "resources": resources}
    return json.dumps(state | {"outputs": {"key": {"value": SENTINEL, "type": "string"}}}).encode()


def entry(urn: str, **more: Any) -> dict[str, Any]:
    """A custom resource of a deployment."""
    tool_type = urn.split("::")[2].rsplit("$", 1)[-1]
    whole = {"urn": urn, "type": tool_type, "custom": True, "id": "x-1", "inputs": {"password": SENTINEL}}
    return whole | {"outputs": {"secret": SENTINEL}} | more


def checkpoint(*entries: dict[str, Any], time: str = "2026-04-11T09:14:46Z", **more: Any) -> bytes:
    """A checkpoint of Pulumi or SST."""
    latest = {"manifest": {"time": time, "magic": "x", "version": "v3"}, "resources": list(entries)} | more
    return json.dumps({"version": 3, "checkpoint": {"stack": "organization/shop/prod", "latest": latest}}).encode()


def sst(**more: Any) -> bytes:
    """A checkpoint of SST: a site with a bucket and a domain record in it."""
    site = {
        "urn": SITE,
        "type": "sst:aws:Nextjs",
        "parent": ROOT,
        "outputs": {"_metadata": {"url": "https://shop.example"}},
    }
    bucket = entry("urn:pulumi:prod::shop::sst:aws:Nextjs$aws:s3/bucketV2:BucketV2::WebAssets", parent=SITE)
    record = entry("urn:pulumi:prod::shop::sst:aws:Nextjs$aws:route53/record:Record::WebRecord", parent=SITE)
    return checkpoint({"urn": ROOT, "type": "pulumi:pulumi:Stack"}, site, bucket, record, **more)
