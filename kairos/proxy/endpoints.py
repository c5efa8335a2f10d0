"""Where the backends of a route are: the addresses that their names have now."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import ref

from kairos.config.document import Route

if TYPE_CHECKING:
    from kairos.discovery.hosts import Host
    from kairos.proxy.generation import ProxyRoute

_log = logging.getLogger("kairos.discovery")

Move = Callable[["ProxyRoute", Route], None]


class Endpoints:
    """Follow the names of one route's backends, for as long as the route lives.

    How it works: every address of a name stands for a backend of its own, with the weight of the entry that names it.
    A name of which no address is known yet stands for one backend, which is resolved when it is connected to.
    """

    __slots__ = ("__weakref__", "_destination", "_hosts", "_move", "_route")

    _destination: "ref[ProxyRoute]"
    _move: Move

    def __init__(self, route: Route, hosts: "Sequence[Host]") -> None:
        self._route = route
        self._hosts = {host.host: host for host in hosts}

    def located(self) -> Route:
        """Return the route with one backend per address."""
        backends = []
        for backend in self._route.backends:
            host = self._hosts.get(backend.host)
            addresses = host.addresses if host is not None else ()
            backends += [replace(backend, address=address) for address in addresses] or [backend]
        return replace(self._route, backends=tuple(backends))

    def keep(self, destination: "ProxyRoute", move: Move) -> None:
        """Call `move` from now on whenever the addresses have changed."""
        self._destination = ref(destination)
        self._move = move
        destination.endpoints = self
        for host in self._hosts.values():
            host.watch(self)

    def addresses_changed(self) -> None:
        """Let the route lead to the addresses of now."""
        destination = self._destination()
        if destination is None:
            return
        try:
            self._move(destination, self.located())
        except ValueError as error:
            _log.error("the backends of %s are reached where they were: %s", self._route.external_path, error)
