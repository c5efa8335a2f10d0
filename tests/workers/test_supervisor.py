"""The supervisor with real processes, sockets and signals; only the gateway in the workers is a fake."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from signal import SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGSTOP, SIGTERM, SIGUSR1, SIGUSR2
from typing import Any

import pytest

from kairos.config.listening import Listener
from kairos.workers.listeners import Listeners
from kairos.workers.state import StateLock
from tests.e2e.log import PATIENCE_SECONDS
from tests.workers.running import GENERATION, HOST, Running

QUICK = {"gather": 0.01, "stale": 1.0, "dump": 0.2}

Launch = Callable[..., Running]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Make a supervisor that is gone at the end of the test."""
    with ExitStack() as stack:
        yield lambda **given: stack.enter_context(Running(tmp_path, **{"timing": QUICK, **given}))


@pytest.fixture
def running(launch: Launch) -> Running:
    return launch().started(text="one")


# The start.


def test_every_slot_has_a_worker_that_serves(running: Running) -> None:
    pids = running.pids()

    assert sorted(pids) == [0, 1]
    assert len({*pids.values(), running.process.pid}) == 3
    assert running.ask("text")[2] == "one"


def test_the_start_up_line_tells_what_runs_where(running: Running) -> None:
    line = running.log.wait_for("serves").string

    assert f"serves http://{HOST}:{running.port} with 2 workers; config {running.folder}/config.json" in line
    assert "kairos 0." in line
    assert "(compiled)" in line or "(pure Python)" in line


def test_workers_do_not_import_what_is_for_other_processes(running: Running) -> None:
    assert running.ask("imports")[2] == "[]"


def test_workers_draw_different_random_numbers(running: Running) -> None:
    numbers = {running.ask("random")[2] for _ in range(20)}

    assert len(numbers) == 20


def test_the_command_line_wins_over_the_config(launch: Launch) -> None:
    subject = launch(workers=7)
    subject.options["workers"] = 1

    subject.started()

    assert "with 1 worker;" in subject.log.wait_for("serves").string


def test_no_number_of_workers_is_one_per_core(launch: Launch) -> None:
    subject = launch(workers=0).started()

    assert f"with {len(os.sched_getaffinity(0))} worker" in subject.log.wait_for("serves").string


def test_findings_are_logged(launch: Launch) -> None:
    subject = launch()
    subject.started(reader={"findings": ["/routers/0: not active in this version"]})

    subject.log.wait_for("WARNING.*/routers/0: not active in this version")


@pytest.mark.parametrize("name", ["uvloop", "asyncio"])
def test_either_event_loop_will_do(launch: Launch, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAIROS_LOOP", name)

    assert launch().started(text="hello").ask("text")[2] == "hello"


# What keeps it from starting.


def refused(subject: Running) -> tuple[int, str]:
    """Run in vain, and return the exit code and what was said."""
    code = subject.launch().wait()
    assert "Traceback" not in str(subject.log)
    return code, str(subject.log).strip()


def test_a_bad_config_ends_it_with_the_reasons(launch: Launch) -> None:
    subject = launch()
    subject.write(reader={"refuses": ["config.json:3:5: wrong", "config.json:9:1: worse"]})

    assert refused(subject) == (1, "config.json:3:5: wrong\nconfig.json:9:1: worse")


def test_an_unreadable_config_has_an_exit_code_of_its_own(launch: Launch) -> None:
    assert refused(subject := launch()) == (3, f"{subject.folder}/config.json: No such file or directory")


def test_a_reader_that_dies_ends_it(launch: Launch) -> None:
    subject = launch()
    subject.write(reader={"crashes": True})

    assert refused(subject) == (1, "the config reader ended without a result (killed by SIGABRT)")


def test_a_reader_that_hangs_ends_it(launch: Launch) -> None:
    subject = launch(timing={"config": 0.2})
    subject.write(reader={"hangs": True})

    code, said = refused(subject)

    assert code == 1
    assert said.endswith("reading the config took more than 0.2 s")


def test_a_signal_ends_even_a_start(launch: Launch) -> None:
    subject = launch()
    subject.write(reader={"hangs": True})
    subject.launch().log.wait_for("the reader hangs")

    assert subject.end(SIGTERM) == 0


def test_a_signal_ends_it_before_anyone_serves(launch: Launch) -> None:
    subject = launch()
    subject.write(slow_to_prepare=[0, 1])
    subject.launch().log.wait_for("takes its time")

    assert subject.end(SIGTERM) == 0


def test_a_port_in_use_is_one_line(launch: Launch) -> None:
    with closing(Listeners([Listener(HOST, 0)], slots=1)) as others:
        subject = launch()
        port = others.of(0)[0][1].getsockname()[1]
        subject.settings["listeners"] = [{"host": HOST, "port": port}]
        subject.write()

        code, said = refused(subject)

    assert code == 1
    assert said.startswith(f"cannot listen on {HOST}:{port}: another program listens there")
    assert "\n" not in said


def test_a_state_directory_in_use_is_one_line(launch: Launch) -> None:
    subject = launch()
    subject.write()
    lock = StateLock(subject.folder / "state")

    code, said = refused(subject)

    lock.release()
    assert (code, said.count("\n")) == (1, 0)
    assert f"another gateway (pid {os.getpid()}) uses the state directory" in said


def test_a_document_that_no_worker_can_prepare_ends_it_with_the_reasons(launch: Launch) -> None:
    subject = launch()
    subject.write(unpreparable=[0, 1])

    code, said = refused(subject)

    assert code == 1
    assert {"slot 0 cannot prepare this", "slot 1 cannot prepare this"} <= set(said.splitlines())


def test_a_document_that_no_worker_survives_ends_it(launch: Launch) -> None:
    subject = launch(workers=1)
    subject.write(crashes_at_commit=1000)

    assert subject.launch().wait() == 1
    subject.log.wait_for(r"worker 0 ended \(exit code 1\) before it served the config")
    subject.log.wait_for("RuntimeError: this commit fails")


# Workers that die or hang.


def test_a_killed_worker_is_replaced_at_once_in_its_slot(running: Running) -> None:
    before = running.pids()

    os.kill(before[0], SIGKILL)

    running.log.wait_for(r"worker 0 \(pid \d+\) ended: killed by SIGKILL; it is replaced now")
    after = running.pids()
    while after[0] == before[0]:
        after = running.pids()
    assert after[1] == before[1]
    assert running.ask("text")[2] == "one"


def test_connections_in_the_queue_of_a_killed_worker_survive(launch: Launch) -> None:
    subject = launch(workers=1, timing={**QUICK, "stale": 60}).started()
    pid = subject.pids()[0]
    os.kill(pid, SIGSTOP)
    with subject.connect() as first, subject.connect() as second:
        first.say("pid")
        second.say("pid")
        os.kill(pid, SIGKILL)

        successor = first.hear()[1]

        assert successor != pid
        assert second.hear()[1] == successor


def test_a_dead_worker_leaves_no_connection_open_in_the_books(running: Running) -> None:
    with running.connect() as client:
        _, pid, is_open = client.ask("open")
        assert is_open == "1"
        os.kill(pid, SIGKILL)
        running.log.wait_for("it is replaced now")

        assert running.ask("open")[2] == "1"  # its own


def test_while_a_slot_is_empty_connections_go_to_the_others(launch: Launch) -> None:
    subject = launch().started(slow_successors=True)
    os.kill(subject.pids()[0], SIGKILL)
    subject.log.wait_for("slot 0 takes its time")

    assert {subject.ask("pid")[0] for _ in range(30)} == {1}


def test_a_worker_in_a_busy_loop_is_dumped_killed_and_replaced(running: Running) -> None:
    with running.connect() as client:
        slot, pid, _ = client.ask("pid")
        client.say("hang")

        running.log.wait_for(rf"worker {slot} \(pid {pid}\) hangs; its stacks follow")
        running.log.wait_for(r"fake_gateway.py.* in hang")
        running.log.wait_for(rf"worker {slot} \(pid {pid}\) ended: killed by SIGKILL")
    assert pid not in running.pids().values()


def test_a_stopped_worker_is_killed_and_replaced(running: Running) -> None:
    pid = running.pids()[1]

    os.kill(pid, SIGSTOP)

    running.log.wait_for(rf"worker 1 \(pid {pid}\) ended: killed by SIGKILL")
    assert running.pids()[1] != pid


def test_a_gateway_that_was_stopped_as_a_whole_goes_on_with_its_workers(running: Running) -> None:
    before = running.pids()
    os.killpg(running.process.pid, SIGSTOP)
    for pid in (running.process.pid, *before.values()):
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            os.sched_yield()
    with socket.create_server((HOST, 0)) as nobody:
        nobody.settimeout(1.5)  # longer than a worker may be silent
        with pytest.raises(TimeoutError):
            nobody.accept()
    os.killpg(running.process.pid, SIGCONT)

    assert running.pids() == before
    assert "hangs" not in str(running.log)


def test_a_worker_that_keeps_dying_is_replaced_more_and_more_slowly(running: Running) -> None:
    for delay in ("now", "now", "in 1 s", "in 2 s"):
        since = len(running.log)
        os.kill(running.pids()[0], SIGKILL)
        running.log.wait_for(f"worker 0 .* it is replaced {delay}", since)


# Reload.


def test_a_reload_reaches_every_worker(running: Running) -> None:
    before = running.pids()

    assert "generation 2" in running.reload(text="two")

    assert {running.ask("text")[2] for _ in range(20)} == {"two"}
    assert running.pids() == before


def test_the_same_config_again_changes_nothing(running: Running) -> None:
    running.reload("the config has not changed", text="one")

    assert "generation 2" in running.reload(text="two")


def test_many_requests_at_once_are_few_reloads(launch: Launch) -> None:
    subject = launch(timing={"gather": 1.0}).started(text="one")
    subject.write(text="two")
    for _ in range(20):
        subject.send(SIGHUP)
    subject.log.wait_for(GENERATION)

    assert "generation 3" in subject.reload(text="three")


@pytest.mark.parametrize(
    ("reader", "complaint"),
    [
        ({"refuses": ["config.json:1:1: wrong"]}, "config.json:1:1: wrong"),
        ({"crashes": True}, "the config reader ended without a result"),
    ],
)
def test_a_config_that_is_refused_leaves_the_running_one_in_force(
    running: Running, reader: Any, complaint: str
) -> None:
    running.reload("refused; generation 1 of the config stays in force", reader, text="two")

    running.log.wait_for(complaint)
    assert {running.ask("text")[2] for _ in range(20)} == {"one"}


def test_what_one_worker_cannot_prepare_no_worker_serves(running: Running) -> None:
    running.reload("refused; generation 1 of the config stays in force", text="two", unpreparable=[1])

    running.log.wait_for("ERROR.* slot 1 cannot prepare this")
    assert {running.ask("text")[2] for _ in range(20)} == {"one"}
    assert "generation 3" in running.reload(text="three")


def test_what_kills_a_worker_while_it_prepares_is_refused(running: Running) -> None:
    running.reload("refused; generation 1 of the config stays in force", text="two", crashes_at_prepare=[1])

    running.log.wait_for(r"worker 1 ended \(killed by SIGABRT\) before it served the config")
    assert {running.ask("text")[2] for _ in range(20)} == {"one"}


def test_who_is_too_slow_to_prepare_refuses(launch: Launch) -> None:
    subject = launch(timing={**QUICK, "prepare": 0.5}).started(text="one")

    subject.reload("refused; generation 1 of the config stays in force", text="two", slow_to_prepare=[0])

    subject.log.wait_for("worker 0 did not prepare the config in time")
    assert "generation 3" in subject.reload(text="three")


def test_who_fails_at_the_commit_restarts_on_the_new_config(running: Running) -> None:
    running.reload(text="two", crashes_at_commit=3)  # the first two commits were those of the start

    running.log.wait_for(r"worker \d \(pid \d+\) ended: exit code 1; it is replaced now")
    assert running.pids()
    assert {running.ask("text")[2] for _ in range(20)} == {"two"}


def test_what_is_fixed_at_the_start_is_said_to_be(running: Running) -> None:
    running.settings["workers"] = 3
    running.reload(text="two")

    running.log.wait_for("a new value of 'workers' takes effect at the next start")
    running.settings["workers"] = 2
    assert len(running.pids()) == 2


# The end.


@pytest.mark.parametrize("number", [SIGTERM, SIGINT])
def test_it_ends_with_totals_and_exit_code_0(running: Running, number: Any) -> None:
    for _ in range(3):
        running.ask("pid")

    assert running.end(number) == 0

    running.log.wait_for("the gateway has ended: 3 requests, 0 of them answered with 5xx, in 3 connections")


def test_it_accepts_for_a_while_but_is_not_ready(launch: Launch) -> None:
    subject = launch(drain_delay=3600).started()
    subject.send(SIGTERM)
    subject.log.wait_for("slot 0 is not ready")
    subject.log.wait_for("slot 1 is not ready")

    assert {subject.ask("ready")[2] for _ in range(20)} == {"False"}

    assert subject.end(SIGTERM) == 0


def test_while_it_still_accepts_it_replaces_the_dead(launch: Launch) -> None:
    subject = launch(drain_delay=3600).started()
    subject.send(SIGTERM)
    subject.log.wait_for("slot 0 is not ready")
    before = subject.pids()
    os.kill(before[0], SIGKILL)
    subject.log.wait_for("worker 0 .* it is replaced now")

    while (after := subject.pids())[0] == before[0]:
        pass

    assert after[1] == before[1]
    assert {subject.ask("ready")[2] for _ in range(20)} == {"False"}
    assert subject.end(SIGTERM) == 0


def test_a_reload_that_comes_too_late_is_said_to_be(launch: Launch) -> None:
    subject = launch(drain_delay=3600).started()
    subject.send(SIGTERM)
    subject.log.wait_for("the gateway ends")
    subject.send(SIGHUP)

    subject.log.wait_for("SIGHUP: no reload any more, because the gateway ends")
    assert subject.end(SIGTERM) == 0


def test_connections_that_wait_at_an_empty_slot_are_served_before_the_end(launch: Launch) -> None:
    subject = launch(workers=1, timing={**QUICK, "stale": 60}).started()
    pid = subject.pids()[0]
    os.kill(pid, SIGSTOP)
    with ExitStack() as stack:
        clients = [stack.enter_context(subject.connect()) for _ in range(10)]
        os.kill(pid, SIGKILL)
        subject.send(SIGTERM)
        for client in clients:
            client.say("pid")

        assert pid not in {client.hear()[1] for client in clients}

    assert subject.wait() == 0


def test_a_drain_waits_for_what_runs_and_takes_nothing_new(launch: Launch) -> None:
    subject = launch(workers=1).started()
    with subject.connect() as client:
        client.ask("pid")
        subject.send(SIGTERM)
        subject.log.wait_for("slot 0 drains for 25 s")
        subject.log.wait_for("slot 0 accepts no more")
        with pytest.raises(ConnectionRefusedError):
            subject.connect()
        client.ask("pid")

    assert subject.wait() == 0
    subject.log.wait_for("slot 0 leaves with 0 open")


def test_no_connection_that_came_through_is_lost_at_the_end(running: Running) -> None:
    """Connect as fast as we can while the gateway ends: every connection is served, or refused before it is one."""
    served = 0
    running.send(SIGINT)
    while True:
        try:
            running.ask("pid")
        except ConnectionRefusedError:
            break
        served += 1

    assert running.wait() == 0
    running.log.wait_for(f"{served} requests, .* in {served} connections")


def test_a_second_signal_forces_the_end(launch: Launch) -> None:
    subject = launch(workers=1).started()
    with subject.connect() as client:
        client.ask("pid")
        subject.send(SIGINT)
        subject.log.wait_for("slot 0 drains for 25 s")

        assert subject.end(SIGINT) == 0

        subject.log.wait_for("slot 0 leaves with 1 open")


def test_a_drain_has_a_deadline(launch: Launch) -> None:
    subject = launch(workers=1, timing={**QUICK, "drain": 0.2}).started()
    with subject.connect() as client:
        client.ask("pid")

        assert subject.end(SIGINT) == 0

        subject.log.wait_for("slot 0 leaves with 1 open")


def test_a_worker_that_cannot_be_reached_any_more_is_killed_at_the_end(launch: Launch) -> None:
    subject = launch(workers=1, timing={"drain": 0.2, "grace": 0.2, "stale": 60}).started()
    os.kill(subject.pids()[0], SIGSTOP)

    assert subject.end(SIGINT) == 0

    subject.log.wait_for("killing the rest")


def test_workers_drain_by_themselves_when_the_supervisor_is_killed(running: Running) -> None:
    descriptors = [os.pidfd_open(pid) for pid in running.pids().values()]

    running.process.send_signal(SIGKILL)
    running.process.wait(PATIENCE_SECONDS)

    running.log.wait_for("the supervisor is gone: draining")
    running.log.wait_for_end()  # which comes when the last of them has closed the log
    for descriptor in descriptors:
        os.close(descriptor)


def test_after_a_killed_supervisor_a_new_one_can_start(running: Running, launch: Launch) -> None:
    with running.connect() as client:
        client.ask("pid")  # and so keeps a worker of the first one busy
        running.process.send_signal(SIGKILL)
        running.process.wait(PATIENCE_SECONDS)
        running.log.wait_for("slot 0 drains")
        running.log.wait_for("slot 1 drains")

        second = launch()
        second.settings["listeners"] = [{"host": HOST, "port": running.port}]
        assert second.started(text="two").ask("text")[2] == "two"


# The rest.


def test_the_logs_are_reopened_by_every_worker(running: Running) -> None:
    running.send(SIGUSR1)

    running.log.wait_for("slot 0 reopens its logs")
    running.log.wait_for("slot 1 reopens its logs")


def test_any_process_can_be_asked_for_its_stacks(running: Running) -> None:
    running.send(SIGUSR2)

    running.log.wait_for(r"supervisor.py.* in run")
    assert running.ask("text")[2] == "one"


def test_workers_leave_signals_to_the_supervisor(running: Running) -> None:
    before = running.pids()
    for pid in before.values():
        for number in (SIGTERM, SIGINT, SIGHUP, SIGUSR1):
            os.kill(pid, number)

    assert running.pids() == before


def test_extra_processes_are_replaced_too_and_end_with_the_gateway(launch: Launch) -> None:
    subject = launch(extra_children=2).started()
    first = int(subject.log.wait_for(r"extra process (\d+) runs")[1])
    since = len(subject.log)
    os.kill(first, SIGKILL)

    second = int(subject.log.wait_for(r"extra process (\d+) runs", since)[1])

    assert first != second
    assert subject.end(SIGTERM) == 0  # and nobody holds the log open
