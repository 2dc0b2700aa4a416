"""The sources: every tool whose output Slipway reads, and how a batch of its lines is read.

Adding a source: write a module with `parse_line` beside the others, and a line in `SOURCES`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest import cloudformation, pulumi, sst, terraform
from ingest.change import Change, Ignored, Parsed

ParseLine = Callable[[int, str], Change | Ignored | None]


@dataclass(frozen=True, slots=True)
class Source:
    """A tool. `name` is in URLs and in `Run.engine`; `label` is for people; `provisioning_source` is what resources
    say of where they come from: sst for SST, api for every other tool."""

    name: str
    label: str
    parse_line: ParseLine
    provisioning_source: str = "api"


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source("terraform", "Terraform", terraform.parse_line),
        Source("opentofu", "OpenTofu", terraform.parse_line),
        Source("pulumi", "Pulumi", pulumi.parse_line),
        Source("sst", "SST", sst.parse_line, provisioning_source="sst"),
        Source("cloudformation", "CloudFormation", cloudformation.parse_line),
    )
}
"""Every source by its name."""


def parse_batch(source: Source, lines: Sequence[bytes], first: int, *, max_line_bytes: int) -> Parsed:
    """Read the lines of one batch; `first` is the number of the first of them in its run. Never raises.

    Blank lines are skipped without a word. Whatever else is not understood is in `ignored`, by its line's number, with
    a sentence that never repeats what the line holds: it may be a secret.
    """
    parsed = Parsed([], [])
    for number, raw in enumerate(lines, first):
        found = _read(source, number, raw, max_line_bytes)
        if isinstance(found, Change):
            parsed.changes.append(found)
        elif isinstance(found, Ignored):
            parsed.ignored.append(found)
    return parsed


def _read(source: Source, number: int, raw: bytes, max_line_bytes: int) -> Change | Ignored | None:
    if len(raw) > max_line_bytes:
        return Ignored(
            number,
            f"The line is {len(raw):,} bytes long, and the limit is {max_line_bytes:,}: nothing was recorded of it. "
            "SLIPWAY_MAX_LINE_BYTES sets the limit.",
        )
    try:
        # Windows shells begin what they write with a byte order mark.
        text = raw.decode("utf-8-sig" if raw.startswith(b"\xef\xbb\xbf") else "utf-8").strip()
    except UnicodeDecodeError:
        return Ignored(number, "The line is not UTF-8. Send the tool's output as it wrote it, in UTF-8.")
    if not text:
        return None
    try:
        return source.parse_line(number, text)
    except Exception as error:
        # Parsers are written and tested not to raise; one line that proves them wrong must not cost its batch.
        return Ignored(number, f"The line could not be read: {type(error).__name__}. Please report this with the line.")
