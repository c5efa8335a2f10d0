"""HAProxy, a proxy to compare with."""

from pathlib import Path

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
    option forwardfor
    http-reuse always
frontend clients
    bind {host}:{port} backlog 4096
    http-request set-header X-Forwarded-Proto http
    default_backend origin
backend origin
    server origin {host}:{origin} pool-max-conn 512
"""


def proxy(folder: Path, origin_port: int, *, cpu: int | None = None) -> Program:
    """One thread that passes everything on, over connections that it keeps."""
    port = free_port()
    path = folder / "haproxy.cfg"
    path.write_text(CONFIG.format(host=HOST, port=port, origin=origin_port), encoding="utf-8")
    return Program("haproxy", ["haproxy", "-db", "-f", str(path)], port, folder, cpu=cpu)
