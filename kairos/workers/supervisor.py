"""The supervisor: one blocking process that keeps the workers, brings them new configs, and obeys signals."""

import errno
import faulthandler
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

import kairos
from kairos import _speedups
from kairos.config.document import Settings
from kairos.config.listening import moved
from kairos.observability import logs
from kairos.shm import layout
from kairos.shm.zone import Zone
from kairos.workers import documents, ending, worker
from kairos.workers.certificates import Certificates
from kairos.workers.channel import Channel
from kairos.workers.children import Children, open_missing_streams
from kairos.workers.config_reader import Accepted, ConfigReader, Outcome, Refused
from kairos.workers.ending import Ending
from kairos.workers.errors import StartError
from kairos.workers.extras import Extras
from kairos.workers.fleet import Fleet
from kairos.workers.heartbeat import Watch
from kairos.workers.inherited import Inherited
from kairos.workers.listeners import Listeners, raise_open_files_limit
from kairos.workers.options import RunOptions
from kairos.workers.reload import Coordinator
from kairos.workers.rollout import Rollout
from kairos.workers.signals import TERMINATION
from kairos.workers.state import StateLock, state_directory

STDERR = 2
NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN)  # the machine is too small
FIXED_AT_START = ("workers", "rate_limit_bytes")

logger = logging.getLogger("kairos.supervisor")


def read_config(options: RunOptions, channel: Channel) -> None:
    """Be the config child; what it imports stays in its process."""
    from kairos.workers import config_child

    config_child.main(options, channel)


def load_gateway() -> worker.GatewayFactory:
    """Import what the workers run, before the first fork, so that all of them share it."""
    from kairos.gateway import Gateway

    return Gateway


@dataclass(frozen=True, slots=True)
class Programs:
    """What the child processes run."""

    read_config: Callable[[RunOptions, Channel], None] = read_config
    load_gateway: Callable[[], worker.GatewayFactory] = load_gateway


@dataclass(frozen=True, slots=True)
class Timing:
    """How many seconds the supervisor waits for what."""

    config: float = 30
    gather: float = 0.1
    prepare: float = 30
    commit: float = 5
    stale: float = 5
    dump: float = 0.5
    drain: float = worker.DRAIN_SECONDS
    grace: float = 1


PROGRAMS = Programs()
TIMING = Timing()


def run(
    options: RunOptions,
    *,
    extra_children: Sequence[Callable[[], None]] = (),
    programs: Programs = PROGRAMS,
    timing: Timing = TIMING,
) -> int:
    """Run the gateway until it is told to end; return the exit code. The calling process may have no other thread.

    Each of `extra_children` runs in a process of its own beside the workers, again if it ends, and is killed last.
    """
    try:
        with ExitStack() as cleanup:
            open_missing_streams()
            logs.configure(options.log_level or Settings().log_level)
            faulthandler.register(signal.SIGUSR2, file=STDERR)  # for every process that is forked, too
            inherited = Inherited.take(os.environ, os.getpid())
            lock = StateLock(state_directory(options.state_dir, os.environ))
            cleanup.callback(lock.release)
            children = Children()
            cleanup.callback(children.kill_all)
            children.private.append(lambda _: lock.forget())
            raise_open_files_limit()
            reader = ConfigReader(children, partial(programs.read_config, options), timing.config)
            reader.start()
            make_gateway = programs.load_gateway()  # while the child reads
            worker.loop_factory()  # likewise only to import
            first = reader.wait()
            if isinstance(first, Refused):
                raise StartError("\n".join(first.lines), exit_code=first.exit_code)
            if first is not None:
                start = Start(options, timing, children, reader, Extras(children, extra_children), inherited)
                Supervisor(start, first, make_gateway).run()
    except StartError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        print(f"the gateway cannot run: {error.strerror}; raise the limit for it", file=sys.stderr)
        return 1
    return 0


def effective(document: bytes, options: RunOptions) -> Settings:
    """Return the settings of a document as they apply here: the command line wins, no workers means one per core."""
    settings = Settings.decode(document.partition(b"\n")[0])
    asked = {name: getattr(options, name) for name in ("workers", "log_level")}
    settings = replace(settings, **{name: value for name, value in asked.items() if value is not None})
    settings = replace(settings, listeners=moved(settings.listeners, options.host, options.port))
    return settings if settings.workers else replace(settings, workers=len(os.sched_getaffinity(0)))


@dataclass(frozen=True, slots=True)
class Start:
    """What is there when the first config has been read."""

    options: RunOptions
    timing: Timing
    children: Children
    reader: ConfigReader
    extras: Extras
    inherited: Inherited


class Supervisor:
    """Supervise workers that serve what the config says, from the first document to the end of the last worker."""

    def __init__(self, start: Start, first: Accepted, make_gateway: worker.GatewayFactory) -> None:
        timing = start.timing
        self._options = start.options
        self._children = start.children
        self._reader = start.reader
        self._extras = start.extras
        self._first = first
        self._settings = effective(first.document, start.options)
        self._has_served = False
        self._zone = Zone(
            self._settings.workers,
            started_at=time.time_ns(),
            started_clock=time.monotonic_ns(),
            guarded_bytes=self._settings.rate_limit_bytes,
        )
        self._listeners = Listeners(self._settings.listeners, self._settings.workers, start.inherited)
        self._certificates = Certificates(self._settings.listeners, self._certify)
        for name in start.inherited.fds:
            logger.warning("systemd has opened a socket %r, which is in no listener of the config", name)
        self._fleet = Fleet(
            self._children,
            self._listeners,
            self._zone,
            partial(worker.main, partial(make_gateway, identities=self._certificates.identities)),
            Watch(timing.stale, timing.dump),
        )
        self._coordinator = Coordinator(timing.gather, timing.prepare, timing.commit)
        self._rollout = Rollout(
            self._coordinator,
            self._fleet,
            read_config=self._reader.start,
            applied=self._applied,
            refused=self._refused,
        )
        self._ending = Ending(start.options.drain_delay, timing.drain, timing.grace)
        self._reader.on_outcome = self._config_was_read
        self._children.on_signal = self._obey
        self._children.private.append(self._listeners.close)

    def run(self) -> None:
        """Serve until a signal ends it. StartError if nobody can serve the first document."""
        try:
            self._run()
        finally:
            self._listeners.withdraw()

    def _run(self) -> None:
        _log_findings(self._first)
        gc.collect()
        gc.freeze()  # so that no collection in a worker touches, and thereby copies, what it shares with the others
        self._rollout.propose(self._first.document)
        timed = (self._extras, self._fleet, self._rollout, self._reader, self._certificates)
        for number in self._reader.missed_signals:
            self._obey(number)
        while not self._ending.drains or not self._fleet.is_empty:
            self._children.turn(min(self._ending.deadline, *(part.deadline for part in timed)))
            now = time.monotonic()
            for part in timed:
                part.tick(now)
            self._end(self._ending.tick(now))
        self._log_totals()

    # Signals.

    def _obey(self, number: int) -> None:
        if number in TERMINATION:
            logger.info("%s: the gateway ends", signal.Signals(number).name)
            self._end(self._ending.asked(time.monotonic(), delays=number == signal.SIGTERM))
        elif number == signal.SIGUSR1:
            self._fleet.send_all("reopen_logs")
        elif self._ending.has_begun:
            logger.warning("%s: no reload any more, because the gateway ends", signal.Signals(number).name)
        else:
            self._coordinator.wanted(time.monotonic())

    def _end(self, actions: Sequence[ending.Action]) -> None:
        for action in actions:
            match action:
                case ending.Unready():
                    self._fleet.unready()
                case ending.Drain(seconds):
                    logger.info("draining for up to %g s", seconds)
                    self._rollout.stop()
                    can_serve = self._coordinator.committed > 0 and seconds > 0
                    self._fleet.drain(seconds, time.monotonic(), serves_waiting=can_serve)
                case ending.KillAll():
                    logger.warning("not every worker has ended in time: killing the rest")
                    self._fleet.kill_all()

    # Configs.

    def _config_was_read(self, outcome: Outcome) -> None:
        if self._ending.drains:
            return
        now = time.monotonic()
        if isinstance(outcome, Refused):
            for line in outcome.lines:
                logger.error(line)
            self._refused(())
            self._coordinator.nothing_new(now)
        elif outcome.document == self._rollout.document:
            logger.info("reload: the config has not changed")
            self._coordinator.nothing_new(now)
        else:
            _log_findings(outcome)
            self._rollout.propose(outcome.document)

    def _certify(self, listener: int, rules: bytes) -> None:
        """Let all workers show other certificates."""
        fd = documents.seal(rules)
        try:
            self._fleet.send_all("certify", [fd], listener=listener)
        finally:
            os.close(fd)

    def _applied(self, generation: int) -> None:
        settings = effective(self._rollout.document, self._options)
        logs.configure(settings.log_level)
        self._certificates.follow(settings.listeners)
        self._listeners.follow(settings.listeners)
        self._zone.cells.store(layout.GENERATION, generation)
        self._zone.cells.store(layout.CONFIG_VERSION, settings.config_version)
        if not self._has_served:
            self._has_served = True
            self._log_start()
            return
        self._zone.cells.add(layout.RELOADS, 1)
        logger.info("reload: generation %d of the config is in force", generation)
        for name in FIXED_AT_START:
            if getattr(settings, name) != getattr(self._settings, name):
                logger.warning("reload: a new value of %r takes effect at the next start", name)
        if [one.place for one in settings.listeners] != [one.place for one in self._settings.listeners]:
            logger.warning("reload: the gateway listens where it did; new places take effect at the next start")

    def _refused(self, reasons: Sequence[str]) -> None:
        if not self._has_served:
            raise StartError("\n".join(reasons))
        for reason in reasons:
            logger.error(reason)
        self._zone.cells.add(layout.RELOADS_REFUSED, 1)
        logger.error("reload: refused; generation %d of the config stays in force", self._coordinator.committed)

    # The log.

    def _log_start(self) -> None:
        logger.info(
            "kairos %s (%s) serves %s with %d worker%s; config %s",
            kairos.__version__,
            "compiled" if _speedups.COMPILED else "pure Python",
            ", ".join(map(str, self._listeners.groups)),
            self._settings.workers,
            "" if self._settings.workers == 1 else "s",
            self._options.config.absolute(),
        )

    def _log_totals(self) -> None:
        logger.info(
            "the gateway has ended: %d requests, %d of them answered with 5xx, in %d connections",
            self._zone.total(layout.REQUESTS),
            self._zone.total(layout.RESPONSES_5XX),
            self._zone.total(layout.CONNECTIONS_ACCEPTED),
        )


def _log_findings(accepted: Accepted) -> None:
    for line in accepted.findings:
        logger.warning(line)
