"""SST v3 and later: Pulumi's engine events (`.sst/pulumi/<updateID>/eventlog.json`), by the rules SST itself goes by.

Rules: SST's cmd/sst/mosaic/ui and pkg/project/run.go. The fold treats the changes as `ingest/pulumi.py` says; a site's
address to show is the fact `production_url` of a top-level component, or of one that tells `_metadata.url`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.change import Change, Ignored
from ingest.outputs import facts_of, web_address
from ingest.pulumi import STACK_TYPE, Rules, parse_event


def _only_repeats(text: str) -> bool:
    """Whether an error only says that another happened; SST leaves these out too."""
    return text.startswith(("update failed", "update cancelled")) or "failed to register new resource" in text


def output_facts(tool_type: str, kind: str | None, outputs: Mapping[str, Any], parent: str) -> dict[str, str]:
    """What SST's outputs tell about a resource.

    A function inside a site has a URL of its own, which is not the site's: so only a top-level component's `url` and
    `_hint` count. Outputs that begin with an underscore are SST's own.
    """
    facts = facts_of(kind, outputs)
    if kind != "webService":
        return facts
    own = facts.pop("production_url", "")
    metadata = outputs.get("_metadata")
    url = web_address(metadata.get("url")) if isinstance(metadata, Mapping) else ""
    if not url and not parent:
        url = own or web_address(outputs.get("_hint"))
    return facts | ({"production_url": url} if url else {})


_SST = Rules(
    source="sst",
    label="SST",
    expected="SST's event log, .sst/pulumi/<update>/eventlog.json, one event a line",
    ignored_types=frozenset({STACK_TYPE, "sst:sst:Version", "sst:sst:LinkRef"}),
    drops=_only_repeats,
    facts=output_facts,
)


def parse_line(number: int, text: str) -> Change | Ignored | None:
    """What one line says; None where it is understood and there is nothing to record. Never raises."""
    return parse_event(number, text, _SST)
