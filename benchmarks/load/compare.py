"""Kairos beside nginx and HAProxy: processor time per request, throughput, latency and memory."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.load import (
    certificate,
    figures,
    handshakes,
    haproxy,
    machine,
    nginx,
    proc,
    programs,
    progress,
    scenarios,
    table,
    wrk,
)
from benchmarks.load.certificate import Certificate
from benchmarks.load.gateway import Gateway
from benchmarks.load.options import positive
from benchmarks.load.programs import Program
from benchmarks.load.scenarios import MESSAGES_PER_SECOND, SCENARIOS, Scenario
from benchmarks.load.websocket import Echo, WebSockets
from benchmarks.load.wrk import Report

PROXY_CPU, LOAD_CPU = 0, 1
OURS = "kairos"
FORMATS = {"per_second": ",.0f", "cpu_us": ",.1f", "p99_ms": ".2f", "pss_mib": ".1f"}
HEADER = (
    *("scenario", "proxy", "req/s", "CPU us/req", "p99 ms", "PSS MiB"),
    *("CPU/req, ratio", "req/s, ratio", "p99, ratio"),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one proxy showed in one round."""

    per_second: float
    cpu_us: float
    """Processor time of the proxy per request, connection or message, in microseconds."""
    p99_ms: float | None
    pss_mib: float


Rounds = dict[str, list[Figures]]  # by the name of the proxy


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--rounds", type=positive, default=5, help="how often each proxy has its turn (%(default)s)")
    parser.add_argument("--seconds", type=positive, default=4, help="how long a turn is (%(default)s)")
    parser.add_argument("--only", action="append", choices=sorted(SCENARIOS), help="a scenario; may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of each round there, too")


def run(options: argparse.Namespace) -> int:
    """Measure, and print a table."""
    machine.require_tools("nginx", "haproxy", "wrk", "taskset", "openssl")
    machine.require_cpus(2)
    chosen = [SCENARIOS[name] for name in options.only or SCENARIOS]
    with TemporaryDirectory(prefix="kairos-load-") as name:
        results = measure(Path(name), chosen, options.rounds, options.seconds)
    versions = {
        OURS: programs.version(sys.executable, "-m", "kairos", "version"),
        "nginx": programs.version("nginx", "-v"),
        "haproxy": programs.version("haproxy", "-v"),
    }
    print(*versions.values(), sep="\n")
    print(f"{machine.describe()}; {options.rounds} rounds of {options.seconds} s, medians")
    print("Ratios: Kairos / the other, round by round; the median (least-largest)\n")
    print(table.markdown(HEADER, rows(results), labels=2))
    if options.json:
        about = {"machine": machine.describe(), "versions": versions, "seconds": options.seconds}
        text = json.dumps(about | {"rounds": results}, indent=1, default=asdict)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def measure(folder: Path, chosen: Sequence[Scenario], rounds: int, seconds: int) -> dict[str, Rounds]:
    """Start everything, and give each proxy its turns, scenario by scenario. TLS has proxies of its own."""
    found = {}
    with ExitStack() as running:
        origin = running.enter_context(nginx.origin(folder, cpu=LOAD_CPU))
        echo = running.enter_context(Echo(cpu=LOAD_CPU))
        script = scenarios.write_script(folder / "fields.lua")
        for tls in (None, certificate.make(folder)):
            scenarios_here = [scenario for scenario in chosen if scenario.tls == (tls is not None)]
            if scenarios_here:
                place = folder / ("tls" if tls else "plain")
                proxies = [running.enter_context(proxy) for proxy in start(place, origin.port, echo.port, tls)]
                for scenario in scenarios_here:
                    found[scenario.name] = in_turn(proxies, scenario, script, rounds, seconds)
    return found


def start(folder: Path, origin_port: int, echo_port: int, tls: Certificate | None) -> Sequence[Program]:
    """Make the proxies that are compared."""
    folder.mkdir(mode=0o755)
    return (
        Gateway(folder, origin_port, cpu=PROXY_CPU, echo_port=echo_port, tls=tls),
        nginx.proxy(folder, origin_port, echo_port, cpu=PROXY_CPU, tls=tls),
        haproxy.proxy(folder, origin_port, echo_port, cpu=PROXY_CPU, tls=tls),
    )


def in_turn(proxies: Sequence[Program], scenario: Scenario, script: Path, rounds: int, seconds: int) -> Rounds:
    """Measure one scenario. Each round begins with another proxy, so that none always comes after the same one."""
    for proxy in proxies:
        turn(proxy, scenario, script, seconds=1)  # to warm up
    found: Rounds = {proxy.name: [] for proxy in proxies}
    for number in range(rounds):
        first = number % len(proxies)
        for proxy in (*proxies[first:], *proxies[:first]):
            progress.tell(f"{scenario.name}: round {number + 1} of {rounds}, {proxy.name}")
            found[proxy.name].append(turn(proxy, scenario, script, seconds))
    progress.tell("")
    return found


def turn(proxy: Program, scenario: Scenario, script: Path, seconds: int) -> Figures:
    """Load one proxy for a while."""
    with clients(proxy, scenario, script) as load:
        pids = proc.family(proxy.pid)
        before = proc.cpu_seconds(pids)
        report = load(seconds=seconds)
        used = proc.cpu_seconds(pids) - before
        report.require_success(f"{proxy.name}, scenario {scenario.name},")
        return Figures(
            per_second=report.per_second,
            cpu_us=used * 1e6 / report.requests,
            p99_ms=report.p99_ms,
            pss_mib=proc.memory(pids).pss / proc.MIB,
        )


@contextmanager
def clients(proxy: Program, scenario: Scenario, script: Path) -> Iterator[Callable[..., Report]]:
    """Get the clients of a scenario ready, and give what makes the load."""
    port, path, count = proxy.port, scenario.path, scenario.connections
    if scenario.kind == "messages":
        with WebSockets(port, cpu=LOAD_CPU) as sockets:
            sockets.open(count)
            yield partial(sockets.exchange, MESSAGES_PER_SECOND)
    elif scenario.kind == "handshakes":
        yield partial(handshakes.run, port, path, clients=count, cpu=LOAD_CPU)
    else:
        scheme = "https" if scenario.tls else "http"
        yield partial(wrk.run, port, path, connections=count, script=script, cpu=LOAD_CPU, scheme=scheme)


def rows(results: dict[str, Rounds]) -> list[list[str]]:
    """Make the rows of the table: medians, and for each other proxy what Kairos is in relation to it."""
    return [row(scenario, proxy, found) for scenario, found in results.items() for proxy in found]


def row(scenario: str, proxy: str, found: Rounds) -> list[str]:
    """Make the row of one proxy."""

    def column(name: str, of: str = proxy) -> list[float]:
        return [getattr(one, name) for one in found[of]]

    known = {name: pattern for name, pattern in FORMATS.items() if None not in column(name)}
    absolute = [format(figures.spread(column(name)).middle, known[name]) if name in known else "" for name in FORMATS]
    compared = [
        str(figures.ratios(column(name, OURS), column(name))) if proxy != OURS and name in known else ""
        for name in ("cpu_us", "per_second", "p99_ms")
    ]
    return [scenario, proxy, *absolute, *compared]
