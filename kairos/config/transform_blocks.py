"""Turn the blocks with rules that change requests and responses into what workers read of them."""

from kairos.config import transformations
from kairos.config.model.transform import (
    HeaderRule,
    JsonBody,
    PathRule,
    QueryRule,
    RequestTransformation,
    ResponseTransformation,
)
from kairos.config.transformations import FieldRule, JsonRule, StatusRule, Transformation


def request_change(block: RequestTransformation | None) -> Transformation | None:
    """Return the changes to requests; None is none."""
    if block is None:
        return None
    found = Transformation(
        headers=headers(block.headers),
        path=path(block.path),
        query=tuple(parameter(rule) for rule in block.query_params),
        json=json_body(block.json_body),
    )
    return found if found != Transformation() else None


def response_change(block: ResponseTransformation | None) -> Transformation | None:
    """Return the changes to responses; None is none."""
    if block is None:
        return None
    mappings = block.status_code_mappings
    found = Transformation(
        headers=headers(block.headers),
        statuses=tuple(StatusRule(rule.from_status, rule.to, rule.condition) for rule in mappings),
        json=json_body(block.json_body),
    )
    return found if found != Transformation() else None


def headers(rules: list[HeaderRule]) -> tuple[FieldRule, ...]:
    """Return the rules for header fields, each with what its action needs."""
    return tuple(
        FieldRule("replace", rule.name, pattern=rule.pattern, replacement=rule.replacement)
        if rule.action == "replace"
        else FieldRule(rule.action, rule.name, (rule.value or "").strip(" \t"))
        for rule in rules
    )


def path(rule: PathRule | None) -> transformations.PathRule | None:
    """Return the rule for the path."""
    return transformations.PathRule(rule.pattern, rule.replacement) if rule is not None else None


def parameter(rule: QueryRule) -> FieldRule:
    """Return the rule for a query parameter."""
    return FieldRule(rule.action, rule.name, rule.value)


def json_body(block: JsonBody | None) -> transformations.JsonBody | None:
    """Return the rules for JSON bodies."""
    if block is None:
        return None
    rules = tuple(JsonRule(rule.action, rule.pointer, rule.value, rule.to) for rule in block.rules)
    return transformations.JsonBody(rules, block.max_bytes, block.otherwise == "pass")
