"""Ask for the addresses of a host name: the hosts file first, then name servers, then the system.

dnspython is imported when the first name server is asked, and off the loop: it takes 6 MiB and a tenth of a second,
which a config without host names does not need.
"""

import asyncio
import importlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kairos.config.document import Discovery
from kairos.discovery.hosts_file import HOSTS_FILE, HostsFile
from kairos.discovery.names import Answer

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver as DnsResolver

UNTIMED_TTL = 5.0  # of what does not come from a name server
RESOLV_CONF = Path("/etc/resolv.conf")
QUESTIONS = 64  # names that are asked for at a time
LOOKUPS = 2  # by the system at a time: each holds a thread
FAMILIES = {4: "A", 6: "AAAA"}


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds name servers have."""

    attempt: float = 1.0
    """For one question to one server; then it is sent again, to the next."""
    answer: float = 4.0
    """For the answer, all attempts together."""
    other_family: float = 0.5
    """How much longer the second family may take than the first."""


class NotResolved(LookupError):
    """Nobody told the addresses of a name."""


class NotKnown(NotResolved):
    """The name servers say that there is no such name, or that it has no addresses."""


class Resolver:
    """Resolve names as the config says. Without name servers of its own those of the system are asked."""

    def __init__(
        self,
        settings: Discovery,
        *,
        hosts_file: Path = HOSTS_FILE,
        resolv_conf: Path = RESOLV_CONF,
        patience: Patience = Patience(),
    ) -> None:
        self._settings = settings
        self._patience = patience
        self._families = (4, 6) if settings.ipv == "any" else (int(settings.ipv),)
        self._hosts_file = HostsFile(hosts_file)
        self._resolv_conf = resolv_conf
        self._dns: DnsResolver | None = None
        self._seen = 0  # when resolv.conf was last changed
        self._questions = asyncio.Semaphore(QUESTIONS)
        self._lookups = asyncio.Semaphore(LOOKUPS)

    async def resolve(self, host: str) -> Answer:
        """Return the addresses of a name. Raises NotResolved."""
        known = self._hosts_file.addresses(host)
        if any(known.get(family) for family in self._families):
            return self._answer(known, UNTIMED_TTL)
        if self._settings.resolver:
            return await self._ask(host)
        try:
            return await self._ask(host)
        except NotKnown:
            return await self._look_up(host)

    def _answer(self, found: Mapping[int, tuple[str, ...] | None], ttl: float) -> Answer:
        v4, v6 = (found.get(family, ()) if family in self._families else () for family in (4, 6))
        return Answer(v4, v6, ttl)

    # Name servers.

    async def _ask(self, host: str) -> Answer:
        """Ask for all families at once, and wait for all, but not for one that takes much longer than the other."""
        async with self._questions:
            return await self._ask_families(await self._resolver(), host)

    async def _ask_families(self, resolver: "DnsResolver", host: str) -> Answer:
        asking = {asyncio.ensure_future(_ask_one(resolver, host, family)): family for family in self._families}
        try:
            done, pending = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            if pending:
                is_enough = any(task.exception() is None and task.result()[0] for task in done)
                await asyncio.wait(pending, timeout=self._patience.other_family if is_enough else None)
            return self._judge({family: task for task, family in asking.items()})
        finally:
            for task in asking:
                task.cancel()

    def _judge(self, asked: dict[int, "asyncio.Future[tuple[tuple[str, ...], float]]"]) -> Answer:
        found: dict[int, tuple[str, ...] | None] = {}
        ttls, errors = [], []
        for family, task in asked.items():
            error = task.exception() if task.done() else NotResolved("no answer in time")
            if error is None:
                addresses, ttl = task.result()
                found[family] = addresses
                ttls += [ttl] if addresses else []
            elif isinstance(error, NotResolved):
                found[family] = () if isinstance(error, NotKnown) else None
                errors.append(error)
            else:
                raise error
        if ttls:
            return self._answer(found, min(ttls))
        if all(addresses is not None for addresses in found.values()):
            raise NotKnown("the name has no address")
        raise next(error for error in errors if not isinstance(error, NotKnown))

    async def _resolver(self) -> "DnsResolver":
        """Return who asks. It is made anew when the system's configuration has changed."""
        changed = 0 if self._settings.resolver else _changed_at(self._resolv_conf)
        if self._dns is None or changed != self._seen:
            loop = asyncio.get_running_loop()
            for module in ("dns.asyncresolver", "dns._asyncio_backend"):
                await loop.run_in_executor(None, importlib.import_module, module)
            self._dns, self._seen = self._made(), changed
        return self._dns

    def _made(self) -> "DnsResolver":
        from dns.asyncresolver import Resolver as DnsResolver
        from dns.nameserver import Do53Nameserver
        from dns.resolver import NoResolverConfiguration

        resolver = DnsResolver(configure=False)
        if self._settings.resolver:
            addresses = (server.rpartition(":") for server in self._settings.resolver)
            resolver.nameservers = [Do53Nameserver(host.strip("[]"), int(port)) for host, _, port in addresses]
            resolver.search = []
        else:
            try:
                resolver.read_resolv_conf(str(self._resolv_conf))
            except (NoResolverConfiguration, OSError):
                raise NotKnown("the system names no name server") from None
            resolver.use_search_by_default = True
        resolver.timeout, resolver.lifetime = self._patience.attempt, self._patience.answer
        return resolver

    # The system.

    async def _look_up(self, host: str) -> Answer:
        """Leave it to the system, which may know of more than name servers: mDNS, a directory, a name of its own."""
        wanted = {"4": socket.AF_INET, "6": socket.AF_INET6}.get(self._settings.ipv, socket.AF_UNSPEC)
        async with self._lookups:
            loop = asyncio.get_running_loop()
            try:
                found = await loop.getaddrinfo(host, 0, family=wanted, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError):
                raise NotKnown("nobody knows the name") from None
        return self._answer(
            {
                version: tuple(str(address[0]) for of, _, _, _, address in found if of == family)
                for version, family in ((4, socket.AF_INET), (6, socket.AF_INET6))
            },
            UNTIMED_TTL,
        )


async def _ask_one(resolver: "DnsResolver", host: str, family: int) -> tuple[tuple[str, ...], float]:
    """Return the addresses of one family, and how long they hold. Raises NotResolved."""
    from dns.asyncbackend import get_backend
    from dns.exception import DNSException
    from dns.resolver import NXDOMAIN

    try:
        answer: Any = await resolver.resolve(
            host, FAMILIES[family], raise_on_no_answer=False, backend=get_backend("asyncio")
        )
    except NXDOMAIN:
        raise NotKnown("there is no such name") from None
    except DNSException as error:
        raise NotResolved(str(error) or type(error).__name__) from None
    if answer.rrset is None:
        return (), 0.0
    return tuple(record.address for record in answer.rrset), float(answer.chaining_result.minimum_ttl)


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
