"""How backends are asked whether they are well."""
# ruff: noqa: RUF012 - pydantic copies mutable defaults

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_plain_validator_function

from kairos.config.findings import quote
from kairos.config.model.base import Block, Prefixed, refusal

LOWEST_STATUS, HIGHEST_STATUS = 100, 599
LONGEST_SECONDS = 86_400
MOST_IN_A_ROW = 100
STATUS_RANGE = r"^[1-5][0-9]{2}(-[1-5][0-9]{2})?$"
FIELD_NAME = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"  # RFC 9110 section 5.6.2
WRITTEN_FIELDS = ("connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade")
"""What frames the request, or has a setting of its own."""


def check_path(path: str) -> str:
    """Take the path of a request, as it is sent."""
    if not re.fullmatch(r"/[!-\"$-~]*", path):
        fix = "percent-encode what is no printable ASCII character; there is no fragment in a request"
        raise refusal(f"Not a path to check: {path}", fix)
    return path


CheckPath = Annotated[str, Prefixed("Health check path must start with '/'"), AfterValidator(check_path)]


def check_host(host: str) -> str:
    """Take a value for the Host field (RFC 9110 section 7.2)."""
    if not re.fullmatch(r"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", host):
        raise refusal(f"Not a host: {host}", 'write for example "example.com" or "example.com:8080"')
    return host


def check_field_name(name: str) -> str:
    """Take a field that may be sent along."""
    if not re.fullmatch(FIELD_NAME, name):
        raise refusal(f"Not the name of a header field: {name}", 'write a name such as "X-Probe"')
    if name.lower() in WRITTEN_FIELDS:
        fix = 'use the key "host" of the health check' if name.lower() == "host" else "remove it"
        raise refusal(f"A health check cannot send the header field {name}", fix)
    return name


def check_field_value(value: str) -> str:
    """Take a value of a field (RFC 9110 section 5.5), without the bytes whose encoding nobody knows."""
    if not re.fullmatch(r"(?:[!-~](?:[\t -~]*[!-~])?)?", value):
        raise refusal("Not a value of a header field", "write printable ASCII characters, without spaces at the ends")
    return value


def status_range(value: int | str) -> tuple[int, int]:
    """Return the lowest and the highest status of a range, or twice the same for a single one."""
    low, _, high = str(value).partition("-")
    return int(low), int(high or low)


@dataclass(frozen=True, slots=True)
class StatusRange:
    """A status, or a text with the lowest and the highest one."""

    def check(self, value: Any) -> int | str:
        """Refuse what is neither."""
        fix = 'write a number such as 200, or a range such as "200-299"'
        if isinstance(value, bool) or not isinstance(value, (int, str)) or not re.fullmatch(STATUS_RANGE, str(value)):
            raise refusal(f"Not a status, nor a range of them: {quote(value)}", fix)
        low, high = status_range(value)
        if low > high:
            raise refusal(f"A range of statuses begins with the lowest: {value}", f'write "{high}-{low}"')
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        number = {"type": "integer", "minimum": LOWEST_STATUS, "maximum": HIGHEST_STATUS}
        return {"anyOf": [number, {"type": "string", "pattern": STATUS_RANGE}]}


class HealthHeader(Block):
    """A header field of the request."""

    name: Annotated[str, AfterValidator(check_field_name)]
    """Its name; not `Host`, nor one that frames the request."""
    value: Annotated[str, AfterValidator(check_field_value)]
    """Its value."""


class HealthCheck(Block):
    """How the backends of a route are asked whether they are well.

    One worker asks for all. A backend that is down gets no requests, as long as another is up. What is known of a
    backend is kept by route and address: a new config does not change it.
    """

    path: CheckPath | None = None
    """What is asked for, with GET; redirects are not followed. A backend's own `health_check_path` goes before it, and
    a backend with neither is not checked."""
    tcp_only: bool = False
    """Whether it is enough that a connection can be opened."""
    interval_seconds: Annotated[float, Field(ge=0.25, le=LONGEST_SECONDS)] = 5.0
    """The time from one check of a backend to the next, more or less a tenth."""
    timeout_seconds: Annotated[float, Field(ge=0.01, le=LONGEST_SECONDS)] = 2.0
    """How long a check may take in all, until the end of the answer, or of the first 64 KiB of its body."""
    unhealthy_threshold: Annotated[int, Field(ge=1, le=MOST_IN_A_ROW)] = 3
    """How many failures in a row take a backend down. Until then it is up, also at the start."""
    healthy_threshold: Annotated[int, Field(ge=1, le=MOST_IN_A_ROW)] = 2
    """How many successes in a row bring it back."""
    expected_statuses: Annotated[list[Annotated[int | str, StatusRange()]], Field(min_length=1)] = ["200-399"]
    """The answers of a backend that is well: statuses, and ranges such as `"200-299"`."""
    body_contains: Annotated[str, Field(min_length=1)] | None = None
    """What has to be in the first 64 KiB of the body; null takes any body."""
    host: Annotated[str, AfterValidator(check_host)] | None = None
    """The `Host` of the request; null takes that of the backend."""
    headers: list[HealthHeader] = []
    """More header fields. `User-Agent` is `kairos-health` with the version, unless it is given here."""


def can_check(protocol: str, check: HealthCheck) -> bool:
    """Say whether a backend that speaks `protocol` can be checked like that: all but DNS at least listens."""
    return protocol in ("http", "websocket") or (protocol == "ftp" and check.tcp_only)
