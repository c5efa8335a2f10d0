"""Full TLS handshakes: `openssl s_time` connects, makes one small request and closes, again and again."""

import re
import subprocess
import time

from benchmarks.load.errors import LoadError
from benchmarks.load.programs import HOST, pinned
from benchmarks.load.scenarios import SMALL_BYTES
from benchmarks.load.wrk import Report

GRACE_SECONDS = 30.0


def run(port: int, path: str, *, clients: int, seconds: int, cpu: int | None = None) -> Report:
    """Load a port of this machine. No session is resumed. LoadError if a handshake fails or an answer is not whole."""
    command = [
        *(*pinned(cpu), "openssl", "s_time", "-connect", f"{HOST}:{port}", "-www", path),
        *("-new", "-time", str(seconds)),
    ]
    begun = time.monotonic()
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(clients)
    ]
    try:
        outputs = [process.communicate(timeout=seconds + GRACE_SECONDS)[0] for process in processes]
    except subprocess.TimeoutExpired:
        raise LoadError(f"openssl does not end: {' '.join(command)}") from None
    finally:
        for process in processes:
            process.kill()
            process.wait()
    took = time.monotonic() - begun
    count = sum(map(parse, outputs))
    return Report(count, count / took, p99_ms=None, refused=0, socket_errors={})


def parse(output: str) -> int:
    """Return the number of connections. LoadError if they did not all go well."""
    found = re.search(r"^(\d+) connections in \d+ real seconds, (\d+) bytes read per connection", output, re.MULTILINE)
    if found is None or int(found[2]) < SMALL_BYTES:
        raise LoadError(f"openssl s_time failed:\n{output.strip()}")
    return int(found[1])
