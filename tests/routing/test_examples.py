"""The examples in docs/routing.md are true."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kairos.config.document import Route
from kairos.errors import BadRequest, MethodNotAllowed, RouteNotFound
from kairos.routing.check import problems
from kairos.routing.router import Router, entry_of

PAGE = (Path(__file__).parents[2] / "docs/routing.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(
    r"^```json\n(?P<routes>[^`]*)```\n\n\| Request .*\n\|[-|]+\|\n(?P<rows>(?:\|.*\|\n)+)", re.MULTILINE
)
REQUEST = re.compile(r"(?P<method>[A-Z]+) (?:http://(?P<host>[^/]*))?(?P<target>/.*)")


def routes_of(text: str) -> list[Route]:
    return [
        Route(
            fields["external_path"],
            fields["internal_path"],
            tuple(fields["methods"]),
            (),
            tuple(fields.get("hosts", ())),
            trailing_slash=fields.get("trailing_slash", "strict"),
            empty_segments=fields.get("empty_segments", "collapse"),
        )
        for fields in json.loads(text)
    ]


def examples() -> Iterator[Any]:
    for found in EXAMPLE.finditer(PAGE):
        for row in found["rows"].splitlines():
            request, outcome, forwarded = (cell.strip() for cell in row.strip("|").split("|"))
            yield pytest.param(
                found["routes"], request.strip("`"), outcome, forwarded.strip("`"), id=request.strip("`")
            )


def test_every_example_is_found() -> None:
    assert len(EXAMPLE.findall(PAGE)) == PAGE.count("```json") == PAGE.count("| Request |")


@pytest.mark.parametrize(("routes", "request_line", "outcome", "forwarded"), list(examples()))
def test_a_request_goes_where_the_page_says(routes: str, request_line: str, outcome: str, forwarded: str) -> None:
    router = Router.of(entry_of(route, None) for route in routes_of(routes))
    request = REQUEST.fullmatch(request_line)
    assert request is not None

    assert answer(router, request) == (outcome, forwarded)


@pytest.mark.parametrize("routes", EXAMPLE.findall(PAGE))
def test_the_examples_have_no_problems(routes: tuple[str, str]) -> None:
    assert not list(problems(routes_of(routes[0])))


def answer(router: Router, request: re.Match[str]) -> tuple[str, str]:
    host = request["host"] or "gateway.example"
    try:
        match = router.match(request["method"].encode(), host.encode(), request["target"].encode())
    except RouteNotFound:
        return "404", ""
    except MethodNotAllowed as refusal:
        return f"405, `Allow: {refusal.allow}`", ""
    except BadRequest:
        return "400", ""
    return f"`{match.pattern}`", match.upstream_target.decode()
