"""The listeners of a config: what contradicts itself in them, and what workers read of them."""

from collections.abc import Iterator
from pathlib import Path

from kairos.config.findings import Draft, JsonPath, quote
from kairos.config.listening import Certificate, Listener, ListenerTls
from kairos.config.model import listeners as model
from kairos.config.model.listeners import UNIX_PEERS
from kairos.config.model.server import Server
from kairos.config.validate import Validated

HTTPS_PORT = 443
CLASSIC = ("host", "port", "tls")
"""The keys of the first listener, outside the array."""


def listeners(server: Server, folder: Path) -> tuple[Listener, ...]:
    """Return all listeners, the classic one first if anything of it is written or there is no other."""
    written = [listener(block, server, folder) for block in server.listeners]
    if written and server.model_fields_set.isdisjoint(CLASSIC):
        return tuple(written)
    return (Listener(server.host, server.port, tls=_tls(server.tls, folder)), *written)


def listener(block: model.Listener, server: Server, folder: Path) -> Listener:
    """Return one listener."""
    usual = Listener()
    return Listener(
        host=block.host or usual.host,
        port=usual.port if block.port is None else block.port,
        unix=None if block.unix is None else _absolute(block.unix, folder),
        mode=int(block.mode, 8),
        systemd=block.systemd,
        tls=_tls(block.tls, folder),
        redirect=https_port(server) if block.redirect_to_https is True else (block.redirect_to_https or None),
        proxy_protocol=block.proxy_protocol,
    )


def https_port(server: Server) -> int:
    """Return the port of the first listener with TLS."""
    ports = [server.port] if server.tls is not None else []
    ports += (block.port for block in server.listeners if block.tls is not None and block.port is not None)
    return next(filter(None, ports), HTTPS_PORT)


def tls(block: model.Tls, folder: Path) -> ListenerTls:
    """Return how a listener speaks TLS."""
    return ListenerTls(
        certificates=tuple(
            Certificate(_absolute(one.cert_file, folder), _absolute(one.key_file, folder), tuple(one.hosts))
            for one in certificates(block)
        ),
        min_version=block.min_version,
        client_ca=None if block.client_ca is None else _absolute(block.client_ca, folder),
        client_auth=block.client_auth or ("required" if block.client_ca is not None else "none"),
        ciphers=tuple(dict.fromkeys(block.ciphers)),
    )


def certificates(block: model.Tls) -> list[model.Certificate]:
    """Return the certificates of a block, that of the block itself first."""
    if block.cert_file is None or block.key_file is None:
        return block.certificates
    return [model.Certificate(cert_file=block.cert_file, key_file=block.key_file), *block.certificates]


def _tls(block: model.Tls | None, folder: Path) -> ListenerTls | None:
    return None if block is None else tls(block, folder)


def _absolute(name: str, folder: Path) -> str:
    return str((folder / name).absolute())


def listener_problems(validated: Validated) -> Iterator[Draft]:
    """Look for listeners that cannot be, or not as they are described."""
    if validated.config is None:
        return
    server = validated.config.server
    if server.tls is not None:
        yield from _tls_problems(server.tls, ("server", "tls"), validated)
    taken: list[tuple[str, object]] = []
    if server.port and not server.model_fields_set.isdisjoint(CLASSIC):
        taken.append((server.host, server.port))
    for index, block in enumerate(server.listeners):
        path: JsonPath = ("server", "listeners", index)
        if path in validated.broken:
            continue
        yield from _place_problems(block, path, validated)
        yield from _option_problems(block, path, server, validated)
        if block.tls is not None:
            yield from _tls_problems(block.tls, (*path, "tls"), validated)
        host, where = block.host or Listener().host, block.unix or block.systemd or block.port
        if where and any(where == other and _overlap(host, of_other) for of_other, other in taken):
            message = 'Two listeners are at the same place; "0.0.0.0" is all of IPv4, and "::" all addresses'
            yield Draft("error", path, message, "remove one, or choose another port")
        taken.append((host, where))


def _overlap(one: str, other: str) -> bool:
    """Say whether two hosts have an address in common; of a name nobody knows."""
    return one == other or "::" in (one, other) or ("0.0.0.0" in (one, other) and ":" not in one + other)


def _place_problems(block: model.Listener, path: JsonPath, validated: Validated) -> Iterator[Draft]:
    """Look for a listener that is nowhere, or at several places."""
    keys = [key for key in ("port", "unix", "systemd") if getattr(block, key) is not None]
    if any(validated.is_in_doubt((*path, key)) for key in ("port", "unix", "systemd")):
        return
    if len(keys) != 1:
        several = " and ".join(map(quote, keys))
        message = f"A listener has one place, not {several}" if keys else "A listener needs a place"
        yield Draft("error", path, message, 'write either "port", with "host" if need be, or "unix", or "systemd"')
        return
    if block.host is not None and keys != ["port"]:
        yield Draft("warning", (*path, "host"), f'"host" has no effect with {quote(keys[0])}', "remove it")
    if "mode" in block.model_fields_set and keys != ["unix"]:
        yield Draft("warning", (*path, "mode"), f'"mode" has no effect with {quote(keys[0])}', "remove it")


def _option_problems(block: model.Listener, path: JsonPath, server: Server, validated: Validated) -> Iterator[Draft]:
    """Look for what a listener cannot do."""
    if block.redirect_to_https is not False and block.tls is not None:
        message = "A listener with TLS cannot redirect to HTTPS: its clients use it already"
        yield Draft("error", (*path, "redirect_to_https"), message, "remove it, or give it to a listener without tls")
    if block.proxy_protocol and not validated.is_in_doubt(("server", "trusted_proxies")):
        kinds = {peer == UNIX_PEERS for peer in server.trusted_proxies}
        wanted = {True, False} if block.systemd is not None else {block.unix is not None}
        if kinds.isdisjoint(wanted):
            message = "PROXY headers are taken from trusted proxies only, and there are none for this listener"
            missing = '"unix:"' if block.unix is not None else "the networks of your proxies"
            fix = f"add {missing} to /server/trusted_proxies"
            yield Draft("error", (*path, "proxy_protocol"), message, fix)


def _tls_problems(block: model.Tls, path: JsonPath, validated: Validated) -> Iterator[Draft]:
    """Look for TLS that cannot begin, or does not protect as somebody may think."""
    doubtful = any(validated.is_in_doubt((*path, key)) for key in ("cert_file", "key_file", "certificates"))
    pair = [block.cert_file is not None, block.key_file is not None]
    if any(pair) != all(pair) and not doubtful:
        given, missing = ("cert_file", "key_file") if block.cert_file is not None else ("key_file", "cert_file")
        yield Draft("error", (*path, given), f'"{given}" needs "{missing}"', f'add "{missing}"')
    elif not any(pair) and not block.certificates and not doubtful:
        yield Draft("error", path, "TLS needs a certificate", 'add "cert_file" and "key_file", or "certificates"')
    in_doubt = any(validated.is_in_doubt((*path, key)) for key in ("client_ca", "client_auth"))
    if block.client_auth in ("optional", "required") and block.client_ca is None and not in_doubt:
        message = "Client certificates cannot be checked without the authorities that they come from"
        yield Draft("error", (*path, "client_auth"), message, 'add "client_ca"')
    if block.client_auth == "none" and block.client_ca is not None and not in_doubt:
        message = '"client_ca" has no effect with "client_auth": "none": nobody is asked for a certificate'
        yield Draft("warning", (*path, "client_ca"), message, 'write "client_auth": "required", or remove it')
    if block.ciphers and block.min_version == "1.3":
        message = '"ciphers" has no effect with "min_version": "1.3": those of TLS 1.3 are all safe'
        yield Draft("warning", (*path, "ciphers"), message, "remove it")
