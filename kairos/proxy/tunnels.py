"""The tunnels of a worker: by route, and how they are told that the gateway ends."""

import random
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from kairos._speedups.selection import Loads
from kairos.protocols.websocket.frames import GOING_AWAY

if TYPE_CHECKING:
    from kairos.proxy.plane import DataPlane
    from kairos.proxy.tunnel import Tunnel
    from kairos.shm.zone import Zone

TOLD_PER_SECOND = 50
FIRST_CODE, LAST_CODE = 1000, 1015  # those that RFC 6455 section 7.4 and its registry name
RANGES = {3: "3000-3999", 4: "4000-4999"}


class Group:
    """The tunnels of one route in this worker; how many all workers have is counted together.

    A connection is counted before it is compared, so that two workers never both let the last one in.
    """

    __slots__ = ("__weakref__", "_column", "_loads", "_plane", "_zone", "is_removed", "tunnels")

    def __init__(self, plane: "DataPlane", zone: "Zone", key: str) -> None:
        self._plane = plane
        self._zone = zone
        self._column = zone.gauge(f"websockets {key}")
        self._loads = Loads(zone.rows, [self._column])
        self.is_removed = False
        self.tunnels: set[Tunnel] = set()

    def enter(self, most: int) -> bool:
        """Count a connection, if there is room; 0 is for any number."""
        self._plane.row.add(self._column, 1)
        if most and self._loads.load(0) > most:
            self.leave()
            return False
        return True

    def leave(self) -> None:
        """Count a connection less."""
        self._plane.row.add(self._column, -1)

    def left(self, tunnel: "Tunnel", code: int | None) -> None:
        """Note that a tunnel has ended, and with which code if it was a WebSocket."""
        self.tunnels.discard(tunnel)
        self.leave()
        if code is not None:
            self._plane.row.add(self._zone.column(f"websocket closes {code_name(code)}"), 1)

    def follow(self, is_served: bool) -> None:
        """Take note whether the config still has the route."""
        if is_served is not self.is_removed:
            return
        self.is_removed = not is_served
        for tunnel in tuple(self.tunnels):
            if is_served:
                tunnel.route_returned()
            else:
                tunnel.route_removed()


class Groups:
    """The groups of all routes that have any tunnels, or may have: a route is the same one after a reload."""

    __slots__ = ("_groups", "_plane", "_zone")

    def __init__(self, plane: "DataPlane", zone: "Zone") -> None:
        self._plane = plane
        self._zone = zone
        self._groups: WeakValueDictionary[str, Group] = WeakValueDictionary()

    def of(self, key: str) -> Group:
        """Return the group of a route."""
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(self._plane, self._zone, key)
        return group

    def follow(self, served: Collection[Group]) -> None:
        """Take note of which routes the config has from now on."""
        for group in tuple(self._groups.values()):
            group.follow(group in served)


class Farewell:
    """Tell WebSockets and event streams that the worker ends: not all at once, or all would come back at once."""

    __slots__ = ("_order", "_seconds", "_told")

    def __init__(self, plane: "DataPlane", seconds: float) -> None:
        """Take `seconds` for it at most, and less if there are few."""
        self._order: list[Callable[[], None]] = [
            *(partial(tunnel.close, GOING_AWAY) for tunnel in plane.tunnels if tunnel.is_websocket),
            *(downstream.leave for downstream in plane.downstreams if downstream.has_event_stream()),
        ]
        self._seconds = min(seconds, len(self._order) / TOLD_PER_SECOND)
        self._told = 0
        random.shuffle(self._order)

    def tell(self, passed: float) -> None:
        """Send Close 1001 or end the stream of those whose turn has come when so many seconds have passed."""
        count = len(self._order)
        due = count if passed >= self._seconds else int(count * passed / self._seconds)
        for tell in self._order[self._told : due]:
            tell()
        self._told = max(self._told, due)


def code_name(code: int) -> str:
    """Return what closes with this code are counted as: by code, or by its range, for anybody may invent codes."""
    return str(code) if FIRST_CODE <= code <= LAST_CODE else RANGES.get(code // 1000, "other")
