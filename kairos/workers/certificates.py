"""Keep the certificates of all listeners as their files say, and tell the workers of each change.

How it works: the supervisor reads the files, because it can tell all workers the same thing, and because those that it
forks later have everything at once. Twice a second it asks whether the files are still the ones that it has read, links
followed. What has changed and is whole is used; what cannot be used is looked at once more before it is told, because
somebody may be in the middle of copying. What was there before stays in use.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kairos.config.listening import Listener, ListenerTls, renewed
from kairos.proxy.identities import Identities, TlsRules
from kairos.workers.errors import StartError

if TYPE_CHECKING:
    from kairos.config.server_certificates import ServerCertificate

INTERVAL_SECONDS = 0.5

T = TypeVar("T")
State = tuple[tuple[int, ...] | None, ...]
logger = logging.getLogger("kairos.tls")


class Watched(Generic[T]):
    """What is made of some files: `value`, as of the last time that they were usable."""

    def __init__(self, paths: Sequence[str], read: Callable[[], T]) -> None:
        """Raises what `read` raises: ValueError."""
        self._paths = paths
        self._read = read
        self._state = _state(paths)
        self._doubted: State | None = None  # in which the files were of no use
        self.value = read()

    def look(self) -> bool:
        """Say whether there is a new value. Raises ValueError if the files have been of no use for two looks."""
        state = _state(self._paths)
        if state == self._state:
            return False
        try:
            value = self._read()
        except ValueError:
            if state != self._doubted:
                self._doubted = state
                return False
            self._state = state  # it is told once
            raise
        self._state, self._doubted = state, None
        has_changed, self.value = value != self.value, value
        return has_changed


@dataclass(slots=True)
class Served:
    """A listener that speaks TLS, with its files."""

    tls: ListenerTls
    pairs: "list[Watched[ServerCertificate]]"
    authorities: Watched[bytes]

    @classmethod
    def of(cls, tls: ListenerTls) -> "Served":
        """Read the files. Raises ValueError."""
        from kairos.config import server_certificates  # it takes memory that gateways without TLS need not have

        read = server_certificates.read_pair
        pairs = [Watched((one.cert_file, one.key_file), lambda one=one: read(one)) for one in tls.certificates]  # type: ignore[misc]
        files = (tls.client_ca,) if tls.client_ca is not None else ()
        return cls(tls, pairs, Watched(files, lambda: server_certificates.read_authorities(tls)))

    def look(self, place: str) -> bool:
        """Say whether anything has changed; write into the log what is wrong."""
        has_changed = False
        everything: list[Watched[Any]] = [*self.pairs, self.authorities]
        for watched in everything:
            try:
                has_changed = watched.look() or has_changed
            except ValueError as error:
                setting = getattr(error, "setting", "tls")
                logger.error("%s: %s: %s; what was there before stays in use", place, setting, error)
        return has_changed

    def rules(self) -> TlsRules:
        """Return what the files say now."""
        tls = self.tls
        pairs = tuple(watched.value.pair for watched in self.pairs)
        return TlsRules(pairs, tls.min_version, tls.ciphers, tls.client_auth, self.authorities.value)


class Certificates:
    """The certificates of all listeners. `tell` sends the rules of one, by its number, to all workers."""

    def __init__(self, listeners: Sequence[Listener], tell: Callable[[int, bytes], None]) -> None:
        """Read all files. StartError if one cannot be used."""
        self._listeners = list(dict.fromkeys(listeners))
        self._all = [Identities(number) for number in range(len(self._listeners))]
        self.identities = dict(zip(self._listeners, self._all, strict=True))  # by what the config says now
        self._tell = tell
        self._served: dict[int, Served] = {}
        self.deadline = inf
        for number, listener in enumerate(self._listeners):
            if listener.tls is not None:
                try:
                    self._serve(number, Served.of(listener.tls))
                except (OSError, ValueError) as error:
                    raise StartError(f"cannot speak TLS on {shown(listener)}: {error}") from None

    def follow(self, news: Sequence[Listener]) -> None:
        """Do as a new config says; a listener whose files cannot be used goes on as it was."""
        self._listeners = renewed(self._listeners, news)
        self.identities.clear()
        self.identities.update(zip(self._listeners, self._all, strict=True))
        for number, listener in enumerate(self._listeners):
            served = self._served.get(number)
            if listener.tls is None:
                self._served.pop(number, None)
            elif served is None or served.tls != listener.tls:
                try:
                    self._tell(number, self._serve(number, Served.of(listener.tls)))
                except (OSError, ValueError) as error:
                    logger.error("%s: %s; TLS goes on there as before", shown(listener), error)
        if not self._served:
            self.deadline = inf

    def tick(self, now: float) -> None:
        """Look at the files if it is time."""
        if now < self.deadline:
            return
        self.deadline = now + INTERVAL_SECONDS
        for number, served in self._served.items():
            name = shown(self._listeners[number])
            if not served.look(name):
                continue
            try:
                self._tell(number, self._serve(number, served))
            except (OSError, ValueError) as error:
                logger.error("%s: %s; what was there before stays in use", name, error)
            else:
                logger.info("%s: the certificates have changed, and are used from now on", name)
                _warn(name, served)

    def _serve(self, number: int, served: Served) -> bytes:
        """Use what the files of a listener say in those that are forked from now on; return it for the others."""
        rules = served.rules()
        self._all[number].follow(rules)
        self._served[number] = served
        if self.deadline == inf:
            self.deadline = 0.0
        return rules.encode()


def _warn(name: str, served: Served) -> None:
    now = datetime.now(UTC)
    for watched in served.pairs:
        warning = watched.value.age_warning(now)
        if warning is not None:
            logger.warning("%s: %s", name, warning)


def shown(listener: Listener) -> str:
    """Return how a listener is called in the log."""
    if listener.unix is not None:
        return f"unix:{listener.unix}"
    return f"systemd:{listener.systemd}" if listener.systemd is not None else f"{listener.host}:{listener.port}"


def _state(paths: Sequence[str]) -> State:
    """Return what tells files apart from others, and from what they were; links are followed."""
    return tuple(map(_state_of, paths))


def _state_of(path: str) -> tuple[int, ...] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
