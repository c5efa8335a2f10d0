"""What all blocks of the config model share: strict types, and refusals that tell the fix."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SecretStr,
    Tag,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import no_info_after_validator_function

from kairos.config.environment import ReadSecret
from kairos.config.findings import quote

REFUSED = "refused"
"""The error type of a refusal in our own words."""


class Block(BaseModel):
    """An object of the config file. Keys that it does not have are not its concern but that of `unknown_keys`."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="ignore", use_attribute_docstrings=True, allow_inf_nan=False
    )


def shape_of(value: Any) -> str:
    """Tell a choice by name from one with settings. The tags show in pydantic's locations, so no key is called so."""
    return "with settings" if isinstance(value, (dict, Block)) else "by name"


NAMED, WITH_SETTINGS, BY_SHAPE = Tag("by name"), Tag("with settings"), Discriminator(shape_of)


def refusal(message: str, fix: str = "") -> PydanticCustomError:
    """Make the error with which a validator refuses a value."""
    return PydanticCustomError(REFUSED, "{message}", {"message": message, "fix": fix})


class Secret(SecretStr):
    """A text that never shows itself."""

    def _display(self) -> str:
        return "***"


def read_secret(value: Any, info: ValidationInfo) -> Any:
    """Take a secret from the file that `{"file": "path"}` names, with the reader in the validation context."""
    if not (isinstance(value, dict) and value.keys() == {"file"} and isinstance(value["file"], str)):
        return value
    read = cast("ReadSecret", info.context)
    try:
        return read(value["file"])
    except ValueError as exc:
        raise refusal(str(exc), "give the path of a readable file, relative to the config file") from None


SECRET_SCHEMA = {
    "anyOf": [
        {"type": "string", "format": "password", "writeOnly": True},
        {
            "type": "object",
            "properties": {"file": {"type": "string", "description": "The file with it, relative to the config file."}},
            "required": ["file"],
            "additionalProperties": False,
        },
    ]
}

SecretText = Annotated[Secret, BeforeValidator(read_secret), WithJsonSchema(SECRET_SCHEMA)]

MIN_SECRET_BYTES = 32
HOW_TO_MAKE_ONE = "make one with: openssl rand -hex 32"
MIN_DIFFERENT_BYTES = 8
PLACEHOLDER = re.compile(
    r"changeme|\bchange ?(this|me|it|in|before)\b|\breplace ?(this|me|with)\b|\bplaceholder\b"
    r"|\b(your|my) ([a-z0-9]+ ){0,4}(secret|key|password)\b|\bsecret (key )?(goes )?here\b"
    r"|supersecret|\b(super|top|very|jwt|test|dev|demo|example|sample|default) secret\b|\bsecret (key|token|password)\b"
    r"|\b(at least|minimum|min) [0-9]+ (bytes?|chars?|characters?|bits?)\b"
)


def check_signing_secret(secret: Secret, *, whose: str = "JWT") -> Secret:
    """Refuse a secret with which anybody could sign: none, a well-known one, or a short one (RFC 7518 section 3.2)."""
    text = secret.get_secret_value()
    if not text:
        raise refusal(f"{whose} secret cannot be empty", HOW_TO_MAKE_ONE)
    if PLACEHOLDER.search(re.sub(r"[\W_]+", " ", text.lower())):
        raise refusal(f"{whose} secret must be changed from default value", HOW_TO_MAKE_ONE)
    if len(text.encode()) < MIN_SECRET_BYTES:
        raise refusal(f"{whose} secret should be at least 32 characters for security", HOW_TO_MAKE_ONE)
    if len(set(text.encode())) < MIN_DIFFERENT_BYTES:
        message = f"{whose} secret should have at least {MIN_DIFFERENT_BYTES} different characters for security"
        raise refusal(message, HOW_TO_MAKE_ONE)
    return secret


SigningSecret = Annotated[SecretText, AfterValidator(check_signing_secret)]


@dataclass(frozen=True, slots=True)
class Within:
    """A range of numbers with a message of its own."""

    low: int
    high: int
    message: str

    def check(self, value: int) -> int:
        """Refuse a number outside the range."""
        if not self.low <= value <= self.high:
            raise refusal(self.message, f"use a number from {self.low} to {self.high}")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Prefixed:
    """A path, with its own message when it does not start with a slash."""

    message: str

    def check(self, value: str) -> str:
        """Refuse what is no absolute path."""
        if not value.startswith("/"):
            raise refusal(self.message, f"write {quote('/' + value)}")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "pattern": "^/"}


U16, U32, U64 = 2**16 - 1, 2**32 - 1, 2**64 - 1
Unsigned16 = Annotated[int, Field(ge=0, le=U16)]
Unsigned32 = Annotated[int, Field(ge=0, le=U32)]
Unsigned64 = Annotated[int, Field(ge=0, le=U64)]
