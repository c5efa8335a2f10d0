"""HAProxy, a proxy to compare with."""

from pathlib import Path

from benchmarks.load.certificate import Certificate
from benchmarks.load.programs import HOST, Program, free_port

CONFIG = """\
global
    nbthread 1
    maxconn 8192
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
    option forwardfor
    http-reuse always
frontend clients
    bind {host}:{port} backlog 4096 {tls}
    http-request set-header X-Forwarded-Proto {scheme}
    use_backend echo if {{ path /echo }}
    default_backend origin
backend origin
    server origin {host}:{origin} pool-max-conn 512
backend echo
    server echo {host}:{echo}
"""


def proxy(
    folder: Path, origin_port: int, echo_port: int, *, cpu: int | None = None, tls: Certificate | None = None
) -> Program:
    """One thread that passes everything on, over connections that it keeps."""
    port = free_port()
    path = folder / "haproxy.cfg"
    ssl, scheme = (f"ssl crt {tls.both}", "https") if tls else ("", "http")
    text = CONFIG.format(host=HOST, port=port, tls=ssl, scheme=scheme, origin=origin_port, echo=echo_port)
    path.write_text(text, encoding="utf-8")
    return Program("haproxy", ["haproxy", "-db", "-f", str(path)], port, folder, cpu=cpu)
