"""What a measurement needs of the machine."""

import os
import resource
import shutil
from pathlib import Path

from benchmarks.load.errors import LoadError

PACKAGES = {  # Debian's names
    "nginx": "nginx-light",
    "haproxy": "haproxy",
    "openssl": "openssl",
    "taskset": "util-linux",
    "wrk": "wrk",
}


def require_tools(*names: str) -> None:
    """LoadError if a program is missing; it tells what to install."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        packages = " ".join(PACKAGES[name] for name in missing)
        raise LoadError(
            f"not installed: {', '.join(missing)}. `make deps` installs what tests/apt.txt lists (as root: sudo make "
            f"deps); by hand on Debian: apt-get install {packages}"
        )


def require_cpus(wanted: int) -> None:
    """LoadError if this process may use fewer processors, or not the first ones, to which programs are pinned."""
    usable = os.sched_getaffinity(0)
    missing = sorted(set(range(wanted)) - usable)
    if missing:
        raise LoadError(
            f"this needs the CPUs 0 to {wanted - 1}: one for the proxy that is measured, the other for what loads it; "
            f"this process may use {len(usable)}, and not CPU {', '.join(map(str, missing))}"
        )


def allow_open_files(wanted: int, *, at_least: int) -> None:
    """Raise the limit of open files to `wanted`, for us and all that we start, or as near as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
    except (ValueError, OSError):  # only root may raise the hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if allowed < at_least:
        raise LoadError(
            f"this needs {at_least:,} open files per process, and the hard limit is {allowed:,}: run it as root, "
            "raise the limit (ulimit -Hn), or ask for fewer connections"
        )


def describe() -> str:
    """Tell the kind and number of processors."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return f"{os.cpu_count()} x {names[0] if names else os.uname().machine}"
