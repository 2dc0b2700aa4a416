"""What may be given by hand or by a program, one validation for form and JSON.

The field names are those of the JSON contract, in the form too, so that each fault stands at its field. Every text is
made fit to be stored (no control characters, bounded); an empty one is the same as none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from ingest.outputs import is_ip_address, is_web_address
from ingest.text import MOST_DETAIL, MOST_MESSAGE, MOST_SUMMARY, clean, clean_line, fits_an_index
from provisioning.errors import FaultyForm
from provisioning.resources import FACT_COLUMNS
from provisioning.states import KINDS

_LAST_MS = 10**14
_HOST_NAME = re.compile(r"(?:[\w*-]{1,63}\.)*[\w-]{1,63}\.?")


def fault(sentence: str) -> PydanticCustomError:
    """A fault in our own words; braces in it are text."""
    return PydanticCustomError("slipway", "{sentence}", {"sentence": sentence})


def _given(value: object) -> object:
    """A form sends an empty text for what was left open."""
    return None if isinstance(value, str) and not value.strip() else value


def _line(most: int) -> Any:
    return BeforeValidator(lambda value: clean_line(value, most) if isinstance(value, str) else value)


def _text(most: int) -> Any:
    return BeforeValidator(lambda value: clean(value, most) if isinstance(value, str) else value)


def _short_enough(address: str) -> str:
    if not fits_an_index(address):
        raise fault("This is too long: at most 1500 bytes.")
    return address


def _ip_address(text: str) -> str:
    if not is_ip_address(text):
        raise fault("This is no IP address, like 203.0.113.7 or 2001:db8::7.")
    return text


def _web_address(text: str) -> str:
    if not is_web_address(text):
        raise fault("This is no address that may be shown: http:// or https://, without password, ? and #.")
    return text


def _host_name(text: str) -> str:
    if _HOST_NAME.fullmatch(text) is None:
        raise fault("This is no domain name, like shop.example.com.")
    return text


OPEN = BeforeValidator(_given)
Line = Annotated[str, _line(MOST_SUMMARY)]
Word = Annotated[str, _line(200)]
Text = Annotated[str, _text(MOST_DETAIL)]
Message = Annotated[str, _line(MOST_MESSAGE)]
Name = Annotated[str, _line(200), Field(min_length=1)]
Address = Annotated[str, _line(4_000), Field(min_length=1), AfterValidator(_short_enough)]
WebAddress = Annotated[str, _line(2_000), StringConstraints(pattern=r"^(https?://\S+)?$")]
Moment = Annotated[int, Field(ge=0, le=_LAST_MS)]
"""Milliseconds UTC."""


def _kind(value: str) -> str:
    if value not in KINDS:
        raise fault(f"There is no type {value!r}; one of {', '.join(KINDS)}.")
    return value


Kind = Annotated[str, AfterValidator(_kind), Field(json_schema_extra={"enum": list(KINDS)})]


class Input(BaseModel):
    """What every input shares: names in camel case, no field that nobody reads, the word of a fault at its field."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, validate_by_name=False, validate_by_alias=True)


class Facts(Input):
    """What may be told of a resource beside its state: the whitelist, each of its own shape."""

    primary_ip_address: Annotated[Annotated[Word, AfterValidator(_ip_address)] | None, OPEN] = None
    region: Annotated[Word | None, OPEN] = None
    production_url: Annotated[Annotated[Line, AfterValidator(_web_address)] | None, OPEN] = None
    environment: Annotated[Word | None, OPEN] = None
    git_repo: Annotated[Annotated[Line, AfterValidator(_web_address)] | None, OPEN] = None
    engine: Annotated[Word | None, OPEN] = None
    version: Annotated[Word | None, OPEN] = None
    domain_name: Annotated[Annotated[Line, AfterValidator(_host_name)] | None, OPEN] = None

    def facts(self) -> dict[str, str]:
        """Those that were told, by column."""
        names = {name for columns in FACT_COLUMNS.values() for name in columns}
        return {name: value for name in sorted(names) if (value := getattr(self, name)) is not None}


def foreign_facts(kind: str, given: Mapping[str, object]) -> dict[str, str]:
    """A sentence for each fact that was given and that resources of this kind do not have, by its name."""
    return {
        to_camel(name): f"A {KINDS[kind].lower()} has no such field."
        for columns in FACT_COLUMNS.values()
        for name in columns
        if name not in FACT_COLUMNS[kind] and _given(given.get(to_camel(name))) is not None
    }


def camel_fields(names: Iterable[str]) -> list[str]:
    """What columns are called in JSON and forms."""
    return [to_camel(name) for name in names]


def faults_of(error: ValidationError) -> dict[str, str]:
    """A sentence for each field, by its name; of several faults of one field, the first."""
    faults: dict[str, str] = {}
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        name = ".".join(str(part) for part in one["loc"]) or "body"
        words = {
            "missing": "This is needed.",
            "extra_forbidden": "There is no such field.",
            "string_too_short": "This is needed.",
        }.get(one["type"], f"{one['msg']}.".replace("..", "."))
        faults.setdefault(name, words)
    return faults


Given = TypeVar("Given", bound=BaseModel)


def check(model: type[Given], given: object) -> tuple[Given | None, dict[str, str]]:
    """The input, or None and what is wrong with it: a sentence for each faulty field."""
    if not isinstance(given, Mapping):
        return None, {"body": "This is no JSON object."}
    try:
        return model.model_validate(dict(given)), {}
    except ValidationError as error:
        return None, faults_of(error)


def read(model: type[Given], given: object) -> Given:
    """The input, whole. Raises `FaultyForm` with every fault at its field."""
    found, faults = check(model, given)
    if found is None:
        raise FaultyForm(faults)
    return found
