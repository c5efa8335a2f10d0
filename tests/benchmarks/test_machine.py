"""What is missing for a measurement is said, with what to do."""

import os

import pytest

from benchmarks.load.errors import LoadError
from benchmarks.load.machine import PACKAGES, require_cpus, require_tools


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(LoadError, match=r"(?s)nginx, taskset.*make deps.*apt-get install nginx-light util-linux"):
        require_tools("nginx", "taskset")


def test_the_package_of_each_program_is_known() -> None:
    assert set(PACKAGES) == {"nginx", "haproxy", "openssl", "wrk", "taskset"}


def test_too_few_processors_are_said() -> None:
    count = os.cpu_count() or 1

    with pytest.raises(LoadError, match=f"CPUs 0 to {count}"):
        require_cpus(count + 1)
