"""Servers that others wrote, as processes of their own.

Each serves the file `/file`. aiohttp and node also send back, at `/echo` and as it comes, whatever they get.
"""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.log import PATIENCE_SECONDS, Log
from tests.e2e.origin import HOST

AIOHTTP = """\
import sys
from aiohttp import web

async def echo(request):
    response = web.StreamResponse()
    if "Content-Length" in request.headers:
        response.content_length = request.content_length
    await response.prepare(request)
    async for piece in request.content.iter_any():
        await response.write(piece)
    await response.write_eof()
    return response

async def file(request):
    return web.FileResponse(sys.argv[1] + "/file")

async def tell(app):
    print("port", sock.getsockname()[1], flush=True)

import socket
sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
app = web.Application(client_max_size=0)
app.router.add_route("*", "/echo", echo)
app.router.add_get("/file", file)
app.on_startup.append(tell)
web.run_app(app, sock=sock, print=None)
"""

NODE = """\
const fs = require("fs");
const http = require("http");
const server = http.createServer((request, response) => {
  if (request.url === "/file") {
    response.setHeader("Content-Length", fs.statSync(process.argv[2] + "/file").size);
    if (request.method === "HEAD") response.end();
    else fs.createReadStream(process.argv[2] + "/file").pipe(response);
  } else if (request.url === "/echo") request.pipe(response);
  else { response.statusCode = 404; response.end(); }
});
server.listen(0, "127.0.0.1", () => console.log("port", server.address().port));
"""

CLOSE_DELIMITED = """\
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

class Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def __init__(self, *arguments):
        super().__init__(*arguments, directory=sys.argv[1])

    def send_header(self, name, value):
        if name != "Content-Length":  # the end of the connection is the end of the body
            super().send_header(name, value)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
    print("port", server.server_address[1], flush=True)
    server.serve_forever()
"""

NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {host}:{port};
        root {www};
        location /what {{ return 200 "$request_method $http_content_length $http_transfer_encoding"; }}
        location /chunked {{
            alias {www}/file;
            gzip on;  # has no length before it is compressed, and so is sent in chunks
            gzip_types *;
            gzip_proxied any;
        }}
    }}
}}
"""

HAPROXY = """\
defaults
    mode tcp
    timeout connect 10s
    timeout client 30s
    timeout server 30s
listen relay
    bind fd@{listener}
    server gateway {host}:{port} {option}
"""


@contextmanager
def _run(command: list[str], **more: object) -> Iterator[Log]:
    """Run a server, and end it at the end of the block."""
    process = subprocess.Popen(  # type: ignore[call-overload]
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more
    )
    log = Log(process.stdout)
    try:
        yield log
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.wait_for_end()
        print(log)  # for pytest to show when the test fails


@contextmanager
def _run_and_ask(command: list[str]) -> Iterator[int]:
    """Run a server that chooses a port and tells it; give that port."""
    with _run(command) as log:
        yield int(log.wait_for(r"\bport (\d+)")[1])


@contextmanager
def aiohttp(www: Path) -> Iterator[int]:
    """Serve with aiohttp."""
    with _run_and_ask([sys.executable, "-c", AIOHTTP, str(www)]) as port:
        yield port


@contextmanager
def node(www: Path) -> Iterator[int]:
    """Serve with the server that comes with Node.js."""
    with _run_and_ask(["node", "-e", NODE, "--", "-", str(www)]) as port:
        yield port


@contextmanager
def python(www: Path) -> Iterator[int]:
    """Serve with `python -m http.server`, which keeps connections."""
    more = ["0", "--bind", HOST, "--directory", str(www), "--protocol", "HTTP/1.1"]
    with _run_and_ask([sys.executable, "-u", "-m", "http.server", *more]) as port:
        yield port


@contextmanager
def close_delimited(www: Path) -> Iterator[int]:
    """Serve HTTP/1.0: no lengths, no chunks, one request per connection."""
    with _run_and_ask([sys.executable, "-c", CLOSE_DELIMITED, str(www)]) as port:
        yield port


@contextmanager
def nginx(www: Path) -> Iterator[int]:
    """Serve with nginx."""
    folder = www.parent / "nginx"
    folder.mkdir()
    with socket.create_server((HOST, 0), backlog=512) as listener:
        port = listener.getsockname()[1]
        with nginx_with(NGINX.format(folder=folder, www=www, host=HOST, port=port), folder, [listener]):
            yield port


@contextmanager
def nginx_with(text: str, folder: Path, listeners: Sequence[socket.socket]) -> Iterator[None]:
    """Run nginx with a config, on sockets that are open already: nothing has to wait until it listens."""
    path = folder / "nginx.conf"
    path.write_text(text if os.getuid() else f"user root root;\n{text}", encoding="utf-8")  # reads what we wrote
    program = shutil.which("nginx") or "nginx"
    numbers = [listener.fileno() for listener in listeners]
    inherited = {"NGINX": "".join(f"{number};" for number in numbers)}  # as when it replaces its own program
    with _run([program, "-e", "stderr", "-c", str(path)], env=os.environ | inherited, pass_fds=numbers):
        yield


@contextmanager
def haproxy_with(text: str, folder: Path, listeners: Sequence[socket.socket]) -> Iterator[None]:
    """Run HAProxy with a config, whose `bind fd@N` name sockets that are open already."""
    path = folder / "haproxy.cfg"
    path.write_text(text, encoding="utf-8")
    program = shutil.which("haproxy") or "haproxy"
    with _run([program, "-db", "-f", str(path)], pass_fds=[listener.fileno() for listener in listeners]):
        yield


@contextmanager
def haproxy(folder: Path, port: int, option: str) -> Iterator[int]:
    """Relay connections to a port, with an option of HAProxy's `server`; give the port to connect to."""
    with socket.create_server((HOST, 0)) as listener:
        text = HAPROXY.format(listener=listener.fileno(), host=HOST, port=port, option=option)
        with haproxy_with(text, folder, [listener]):
            yield listener.getsockname()[1]


SERVERS = {server.__name__: server for server in (nginx, aiohttp, node, python, close_delimited)}
PROGRAMS = {"nginx": "nginx", "node": "node"}  # those that are no Python
