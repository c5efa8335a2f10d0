"""What no single value of a policy shows: settings that contradict each other or have no effect."""

import ipaddress
import re
from collections.abc import Iterator

from kairos.config.findings import Draft, JsonPath
from kairos.config.model.answers import Cors
from kairos.config.model.router import Router
from kairos.config.model.security import AccessList
from kairos.config.validate import Validated, in_router

ANY_LETTER = re.compile(r"(?<!\\)\.(?=[A-Za-z])")
"""A dot that somebody may have meant as one."""
ANY_NAME = re.compile(r"(?<!\\)\.[*+][?]?(?=[A-Za-z0-9])")
"""Any text right before a name: `https://.*example\\.com` takes `https://notexample.com` too."""


def policies(validated: Validated) -> Iterator[Draft]:
    """Look at the policies of the gateway and of each route."""
    if validated.config is None:
        return
    yield from access_list(validated.config.access_list, ("access_list",))
    yield from cors(validated.config.cors, ("cors",), validated)
    for path, router in validated.routers():
        yield from route(router, path, validated)


def route(router: Router, path: JsonPath, validated: Validated) -> Iterator[Draft]:
    """Look at the policies of a route."""
    yield from access_list(router.access_list, (*path, "access_list"))
    yield from cors(router.cors, (*path, "cors"), validated)
    yield from cache(router, path, validated)


def access_list(block: AccessList | None, path: JsonPath) -> Iterator[Draft]:
    """Look for networks that may come in and cannot."""
    if block is None:
        return
    denied = [(text, ipaddress.ip_network(text)) for text in block.deny]
    for index, text in enumerate(block.allow):
        network = ipaddress.ip_network(text)
        for other, around in denied:
            if network.version == around.version and network.subnet_of(around):  # type: ignore[arg-type]
                message = f"{text} is part of {other}, which is denied: deny wins, so nobody comes in from there"
                yield Draft("warning", (*path, "allow", index), message, "remove one of them")
                break


def cors(block: Cors | None, path: JsonPath, validated: Validated) -> Iterator[Draft]:
    """Look for what would let any page act in the name of its visitors, and for what browsers do not take."""
    if block is None or not block.enabled or validated.is_in_doubt((*path, "allowed_origins")):
        return
    if block.allow_credentials and "*" in block.origins():
        message = in_router(path, "Credentials cannot be allowed to the pages of every origin")
        fix = 'list the origins in "allowed_origins", or remove "allow_credentials"'
        yield Draft("error", (*path, "allow_credentials"), message, fix)
    if block.allow_credentials and "*" in block.exposed_headers:
        message = in_router(path, "Browsers take no '*' for exposed headers together with credentials")
        yield Draft("error", (*path, "exposed_headers"), message, "list the headers")
    for index, pattern in enumerate(block.allowed_origin_patterns):
        if found := ANY_LETTER.search(pattern):
            message = f"The dot before {pattern[found.end() :][:20]!r} takes any character"
            yield Draft("warning", (*path, "allowed_origin_patterns", index), message, r"write \\. for a dot")
        if found := ANY_NAME.search(pattern):
            message = f"Names that only end in {pattern[found.end() :][:20]!r} are taken too"
            fix = r"write for example (.+\.)?example\.com"
            yield Draft("warning", (*path, "allowed_origin_patterns", index), message, fix)


def cache(router: Router, path: JsonPath, validated: Validated) -> Iterator[Draft]:
    """Look for a cache that never has anything to store."""
    if router.cache is None or validated.is_in_doubt((*path, "methods")) or validated.is_in_doubt((*path, "protocol")):
        return
    if router.protocol != "http":
        message = in_router(path, f"Nothing is stored of what {router.protocol} backends answer")
        yield Draft("warning", (*path, "cache"), message, 'remove "cache"')
    elif "GET" not in router.methods:
        message = in_router(path, "Only answers to GET are stored, which this route does not take")
        yield Draft("warning", (*path, "cache"), message, 'add "GET" to "methods", or remove "cache"')
