"""The gateway as processes: what happens when one dies, hangs, is told to end, or cannot start."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGSTOP, SIGTERM

import pytest

from tests.e2e.configs import config, route
from tests.e2e.gateway import HOST, Gateway, clean_environment
from tests.e2e.load import Load
from tests.e2e.log import PATIENCE_SECONDS, Log
from tests.e2e.origin import Origin

REPLACED = r"worker \d+ \(pid \d+\) ended: .*; it is replaced"


def workers_of(gateway: Gateway) -> list[int]:
    """Return the process numbers of the workers."""
    children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children")
    return [int(pid) for pid in children.read_text().split()]


def test_replaces_a_killed_worker(start_gateway: Callable[..., Gateway], origin: Origin) -> None:
    gateway = start_gateway(config(route("/a", origin)), workers=2)
    victim, survivor = workers_of(gateway)

    os.kill(victim, SIGKILL)
    gateway.log.wait_for(REPLACED)

    for _ in range(20):
        assert gateway.request("GET", "/a").status == 200
    replacement, *_ = set(workers_of(gateway)) - {survivor}
    assert replacement != victim


def test_a_connection_in_the_queue_of_a_killed_worker_is_served_by_its_successor(
    start_gateway: Callable[..., Gateway], origin: Origin
) -> None:
    gateway = start_gateway(config(route("/a", origin)))
    (worker,) = workers_of(gateway)
    os.kill(worker, SIGSTOP)
    connection = gateway.connect()
    connection.request("GET", "/a")

    os.kill(worker, SIGKILL)

    assert connection.getresponse().read() == b"hello"
    connection.close()


def test_finds_and_replaces_a_worker_that_hangs(start_gateway: Callable[..., Gateway], origin: Origin) -> None:
    gateway = start_gateway(config(route("/a", origin)))
    (worker,) = workers_of(gateway)

    os.kill(worker, SIGSTOP)

    gateway.log.wait_for(rf"\(pid {worker}\) hangs")
    gateway.log.wait_for(REPLACED)
    assert gateway.request("GET", "/a").status == 200


def test_answers_every_request_that_it_accepted_before_the_end(
    start_gateway: Callable[..., Gateway], origin: Origin
) -> None:
    gateway = start_gateway(config(route("/a", origin)), workers=2)

    with Load(gateway.port, "/a") as load:
        load.wait_for(200)
        gateway.stop()
        load.wait_until_over()

    assert load.failures == []


def test_fails_readiness_and_serves_on_before_it_drains(start_gateway: Callable[..., Gateway], origin: Origin) -> None:
    gateway = start_gateway(config(route("/a", origin)), "--drain-delay", "600")
    connection = gateway.connect()
    connection.request("GET", "/ready")
    assert connection.getresponse().read().startswith(b'{"status":"ready"')

    gateway.send(SIGTERM)
    gateway.log.wait_for("SIGTERM: the gateway ends")

    while connection.request("GET", "/ready") or (response := connection.getresponse()).status == 200:
        response.read()  # the worker has not heard of it yet
    assert response.status == 503
    assert response.read().startswith(b'{"status":"draining"')
    assert gateway.request("GET", "/a").status == 200
    connection.close()
    gateway.stop(SIGINT)  # the second signal does not wait for the ten minutes


def test_a_request_under_way_is_finished_and_the_connection_closed(
    start_gateway: Callable[..., Gateway], origin: Origin
) -> None:
    gateway = start_gateway(config(route("/a", origin)))
    origin.hold()
    connection = gateway.connect()
    connection.request("GET", "/a")
    origin.wait_for(1)

    gateway.send(SIGTERM)
    while not gateway.is_refused():  # when nobody listens any more, the worker drains
        pass
    origin.release()

    response = connection.getresponse()
    assert response.read() == b"hello"
    assert response.getheader("Connection") == "close"
    connection.close()
    assert gateway.process.wait(PATIENCE_SECONDS) == 0


def test_workers_end_when_the_supervisor_is_killed(start_gateway: Callable[..., Gateway], origin: Origin) -> None:
    gateway = start_gateway(config(route("/a", origin)), workers=2)

    gateway.process.kill()

    gateway.log.wait_for_end()  # every worker held the log open
    gateway.process.wait(PATIENCE_SECONDS)
    assert gateway.is_refused()


class TestStartFailures:
    """One clear line on stderr, no traceback, and an exit code."""

    @staticmethod
    def start(folder: Path, text: str, *arguments: str) -> tuple[int, str]:
        """Run a gateway that cannot start; return its exit code and what it wrote."""
        file = folder / "config.json"
        file.write_text(text)
        command = [sys.executable, "-m", "kairos", "--config", str(file), "--host", HOST, "--workers", "1"]
        done = subprocess.run(
            [*command, "--state-dir", str(folder / "state"), *arguments],
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr

    VALID = (
        '{"version": 1, "routers": [{"external_path": "/a", "internal_path": "/a", "methods": ["GET"],'
        ' "backends": [{"host": "http://127.0.0.1", "port": 1}]}]}'
    )

    def test_port_in_use(self, tmp_path: Path) -> None:
        with socket.create_server((HOST, 0)) as taken:
            port = taken.getsockname()[1]
            code, text = self.start(tmp_path, self.VALID, "--port", str(port))

        assert code == 1
        assert len(text.splitlines()) == 1
        assert str(port) in text
        assert "another program listens there" in text

    def test_port_of_another_gateway(
        self, start_gateway: Callable[..., Gateway], origin: Origin, tmp_path: Path
    ) -> None:
        gateway = start_gateway(config(route("/a", origin)), workers=2)
        other = tmp_path / "other"
        other.mkdir()

        code, text = self.start(other, self.VALID, "--port", str(gateway.port))

        assert code == 1
        assert "another program listens there" in text

    def test_state_directory_of_another_gateway(
        self, start_gateway: Callable[..., Gateway], origin: Origin, tmp_path: Path
    ) -> None:
        gateway = start_gateway(config(route("/a", origin)))
        other = tmp_path / "other"
        other.mkdir()

        code, text = self.start(other, self.VALID, "--port", "0", "--state-dir", str(tmp_path / "state"))

        assert code == 1
        assert str(gateway.process.pid) in text

    def test_bad_config(self, tmp_path: Path) -> None:
        code, text = self.start(tmp_path, '{"version": 1, "routers": []}')

        assert code == 1
        assert "No routers configured" in text

    def test_no_config(self, tmp_path: Path) -> None:
        code, text = self.start(tmp_path, self.VALID, "--config", str(tmp_path / "absent.json"))

        assert code == 3
        assert "Cannot resolve config path" in text

    def test_access_log_that_cannot_be_opened(self, tmp_path: Path) -> None:
        text = self.VALID[:-1] + ', "logging": {"access_log": "/nowhere/access.log"}}'

        code, lines = self.start(tmp_path, text, "--port", "0")

        assert code == 1
        assert "/nowhere/access.log" in lines

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may bind every port and write everywhere")
    def test_missing_permission(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        try:
            code, text = self.start(tmp_path, self.VALID)
        finally:
            tmp_path.chmod(0o700)

        assert code == 1
        assert "state" in text


def test_runs_with_standard_streams_closed(tmp_path: Path, origin: Origin) -> None:
    config_file = tmp_path / "config.json"
    config_file.write_text(json.dumps(config(route("/a", origin))))
    command = f'exec "{sys.executable}" -m kairos --config "{config_file}" --host {HOST} --port 0 --workers 1'
    state = f'--drain-delay 0 --state-dir "{tmp_path}/state" <&- >&-'
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"{command} {state}"], env=clean_environment(), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    log = Log(process.stderr)
    log.wait_for("serves http")

    process.terminate()

    assert process.wait(PATIENCE_SECONDS) == 0
    log.wait_for_end()
    assert "Traceback" not in str(log)
