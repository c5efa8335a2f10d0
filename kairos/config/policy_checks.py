"""What no single value of a policy shows: settings that contradict each other or have no effect."""

import ipaddress
from collections.abc import Iterator

from kairos.config.findings import Draft, JsonPath
from kairos.config.model.router import Router
from kairos.config.model.security import AccessList
from kairos.config.validate import Validated


def policies(validated: Validated) -> Iterator[Draft]:
    """Look at the policies of the gateway and of each route."""
    if validated.config is None:
        return
    yield from of_one(validated.config.access_list, ())
    for path, router in validated.routers():
        yield from route(router, path)


def route(router: Router, path: JsonPath) -> Iterator[Draft]:
    """Look at the policies of a route."""
    yield from of_one(router.access_list, path)


def of_one(block: AccessList | None, path: JsonPath) -> Iterator[Draft]:
    """Look for networks that may come in and cannot."""
    if block is None:
        return
    denied = [(text, ipaddress.ip_network(text)) for text in block.deny]
    for index, text in enumerate(block.allow):
        network = ipaddress.ip_network(text)
        for other, around in denied:
            if network.version == around.version and network.subnet_of(around):  # type: ignore[arg-type]
                message = f"{text} is part of {other}, which is denied: deny wins, so nobody comes in from there"
                yield Draft("warning", (*path, "access_list", "allow", index), message, "remove one of them")
                break
