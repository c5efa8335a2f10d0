"""nginx as the origin, and as a proxy to compare with."""

import os
from collections.abc import Mapping
from pathlib import Path

from benchmarks.load.certificate import Certificate
from benchmarks.load.programs import HOST, Program, free_port
from benchmarks.load.scenarios import FILES, RESPONSE_FIELDS, SMALL

PUBLIC = "public, max-age=3600"  # at /public/

MAIN = """\
daemon off;
worker_processes 1;
pid {folder}/{name}.pid;
error_log stderr error;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/{name}-body;
    proxy_temp_path {folder}/{name}-proxy;
    fastcgi_temp_path {folder}/{name}-fastcgi;
    uwsgi_temp_path {folder}/{name}-uwsgi;
    scgi_temp_path {folder}/{name}-scgi;
{content}
}}
"""

ORIGIN = """\
    server {{
        listen {host}:{port} backlog=4096;
        default_type application/json;
        location / {{
            {fields}
            return 200 '{text}';
        }}
        location /public/ {{
            {public}
            return 200 '{text}';
        }}
        location /files/ {{ root {folder}; sendfile on; }}
        location /chunked/ {{
            alias {folder}/files/;
            gzip on;  # a body that is compressed on its way has no length: it is sent in chunks
            gzip_types *;
            gzip_comp_level 1;
            gzip_proxied any;
        }}
        location /missing/ {{ return 404 "no such thing"; }}
    }}"""

PROXY = """\
    upstream origin {{
        server {host}:{origin};
        keepalive 512;
        keepalive_requests 1000000000;
    }}
    server {{
        listen {host}:{port} backlog=4096 {tls};
        server_name {host};  # which the origin is told if a client names no host
        location /echo {{
            proxy_pass http://{host}:{echo};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_set_header Host $host;
            proxy_read_timeout 1h;
        }}
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}"""

# What the others have without being told; nginx took up TLS 1.3 by itself only in 1.23.4.
TLS = """ssl;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate {cert};
        ssl_certificate_key {key}"""


def origin(folder: Path, *, cpu: int | None = None) -> Program:
    """A backend with an answer of 1 KiB at every path, files, chunked answers, and things that are missing."""
    files = folder / "files"
    files.mkdir()
    for name, size in FILES.items():
        (files / name).write_bytes(os.urandom(size))
    for readable in (folder, files):
        readable.chmod(0o755)  # nginx that is started by root reads as somebody else
    own, public = (_lines(fields) for fields in (RESPONSE_FIELDS, {**RESPONSE_FIELDS, "Cache-Control": PUBLIC}))
    port = free_port()
    content = ORIGIN.format(host=HOST, port=port, folder=folder, fields=own, public=public, text=SMALL)
    return _program("origin", folder, port, content, cpu)


def proxy(
    folder: Path, origin_port: int, echo_port: int, *, cpu: int | None = None, tls: Certificate | None = None
) -> Program:
    """One worker that passes everything on, over connections that it keeps."""
    port = free_port()
    ssl = TLS.format(cert=tls.cert, key=tls.key) if tls else ""
    content = PROXY.format(host=HOST, port=port, tls=ssl, origin=origin_port, echo=echo_port)
    return _program("nginx", folder, port, content, cpu)


def _lines(fields: Mapping[str, str]) -> str:
    return " ".join(f"add_header {name} '{value}';" for name, value in fields.items())


def _program(name: str, folder: Path, port: int, content: str, cpu: int | None) -> Program:
    path = folder / f"{name}.conf"
    path.write_text(MAIN.format(name=name, folder=folder, content=content), encoding="utf-8")
    return Program(name, ["nginx", "-e", "stderr", "-c", str(path)], port, folder, cpu=cpu)
