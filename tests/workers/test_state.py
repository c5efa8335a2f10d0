"""The state directory: where it is, who may write there, and one gateway at a time."""

import os
from pathlib import Path

import pytest

from kairos.workers.errors import StartError
from kairos.workers.state import LOCK_NAME, StateLock, make_private, state_directory


@pytest.mark.parametrize(
    ("asked", "environ", "expected"),
    [
        (Path("/srv/k"), {"STATE_DIRECTORY": "/var/lib/k", "XDG_STATE_HOME": "/x"}, "/srv/k"),
        (None, {"STATE_DIRECTORY": "/var/lib/k", "XDG_STATE_HOME": "/x"}, "/var/lib/k"),
        (None, {"STATE_DIRECTORY": "/var/lib/k:/var/lib/l"}, "/var/lib/k"),
        (None, {"XDG_STATE_HOME": "/x"}, "/x/kairos"),
        (None, {}, str(Path.home() / ".local/state/kairos")),
    ],
)
def test_the_first_place_that_is_given_counts(asked: Path | None, environ: dict[str, str], expected: str) -> None:
    assert state_directory(asked, environ) == Path(expected)


def test_a_new_directory_is_for_its_owner_alone(tmp_path: Path) -> None:
    make_private(tmp_path / "a" / "b")

    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_a_directory_that_others_may_write_is_refused_and_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    with pytest.raises(StartError, match="open to others"):
        StateLock(tmp_path)

    assert tmp_path.stat().st_mode & 0o777 == 0o777


def test_a_file_in_its_place_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")

    with pytest.raises(StartError, match=f"{tmp_path}/state cannot be made: File exists"):
        make_private(tmp_path / "state")


def test_the_second_gateway_is_told_who_the_first_is(tmp_path: Path) -> None:
    first = StateLock(tmp_path)

    with pytest.raises(StartError, match=rf"another gateway \(pid {os.getpid()}\) .*--state-dir"):
        StateLock(tmp_path)

    first.release()
    StateLock(tmp_path).release()
    assert (tmp_path / LOCK_NAME).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / LOCK_NAME).read_text() == ""  # nobody's


def test_a_child_that_lets_go_does_not_let_go_for_its_parent(tmp_path: Path) -> None:
    lock = StateLock(tmp_path)
    pid = os.fork()
    if pid == 0:
        lock.forget()
        os._exit(0)
    os.waitpid(pid, 0)

    with pytest.raises(StartError, match=str(os.getpid())):
        StateLock(tmp_path)
    lock.release()


def test_a_lock_file_that_cannot_be_opened_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).mkdir()

    with pytest.raises(StartError, match="is not writable"):
        StateLock(tmp_path)
