"""wrk, the load generator: run it and understand what it prints."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load.errors import LoadError
from benchmarks.load.programs import HOST, pinned

MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
SOCKET_ERRORS = ("connect", "read", "write", "timeout")
GRACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Report:
    """What wrk saw."""

    requests: int
    per_second: float
    p99_ms: float | None
    """None where nobody has looked."""
    refused: int
    """Answers that were neither 2xx nor 3xx."""
    socket_errors: dict[str, int]
    """By kind, without those that did not happen."""

    def require_success(self, what: str, *, refusals: float = 0.0) -> None:
        """LoadError if anything went wrong: then the figures mean nothing. `refusals` is the share that is expected."""
        problems = [f"{count:,} x {kind}" for kind, count in self.socket_errors.items()]
        if self.refused > refusals * self.requests:
            problems.append(f"{self.refused:,} answers other than 2xx and 3xx")
        if not self.requests:
            problems.append("nothing was answered")
        if problems:
            raise LoadError(f"{what} failed under load ({self.requests:,} requests answered): {', '.join(problems)}")


def parse(output: str) -> Report:
    """Read what wrk prints with --latency. LoadError if it is something else."""
    requests = re.search(r"^\s*(\d+) requests in ", output, re.MULTILINE)
    per_second = re.search(r"^Requests/sec:\s+([\d.]+)", output, re.MULTILINE)
    p99 = re.search(r"^\s*99%\s+([\d.]+)(us|ms|s|m)\s*$", output, re.MULTILINE)
    if not (requests and per_second and p99):
        raise LoadError(f"wrk printed something unexpected:\n{output}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    errors = {
        kind: int(count)
        for kind in SOCKET_ERRORS
        for count in re.findall(rf"^\s*Socket errors:.*\b{kind} (\d+)", output, re.MULTILINE)
        if int(count)
    }
    return Report(
        requests=int(requests[1]),
        per_second=float(per_second[1]),
        p99_ms=float(p99[1]) * MILLISECONDS[p99[2]],
        refused=int(refused[1]) if refused else 0,
        socket_errors=errors,
    )


def run(
    port: int,
    path: str,
    *,
    connections: int,
    seconds: int,
    script: Path,
    cpu: int | None = None,
    scheme: str = "http",
) -> Report:
    """Load a port of this machine with one thread; `script` is the Lua that makes the requests."""
    command = [
        *(*pinned(cpu), "wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"),
        *("--timeout", "10s", "--latency", "--script", str(script), f"{scheme}://{HOST}:{port}{path}"),
    ]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=seconds + GRACE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise LoadError(f"wrk does not end: {' '.join(command)}") from None
    if result.returncode:
        raise LoadError(f"wrk ended with exit code {result.returncode}: {result.stderr.strip() or result.stdout}")
    return parse(result.stdout)
