"""Hashes of passwords."""

import pytest

from kairos.config.passwords import SOUND_WORK, Hash, make_hash, read_hash

# RFC 7914 section 12, in our form.
EXAMPLE = (
    "$scrypt$ln=10,r=8,p=16$TmFDbAAAAAA"
    "$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWIurzDZLiKjiG/xCSedmDDaxyevuUqD7m2DYMvfoswGQA"
)


def test_a_hash_is_read_and_written_the_same() -> None:
    assert str(read_hash(EXAMPLE)) == EXAMPLE
    assert read_hash(EXAMPLE).digest[:4].hex() == "fdbabe1c"


def test_the_example_of_the_standard_fits() -> None:
    found = read_hash(EXAMPLE)
    example = Hash(found.cost, found.block, found.parallel, b"NaCl", found.digest)

    assert example.fits(b"password")
    assert not example.fits(b"Password")


def test_a_new_hash_is_sound() -> None:
    made = make_hash("pä".encode(), b"0123456789abcdef")

    assert read_hash(str(made)) == made
    assert made.work >= SOUND_WORK
    assert made.fits("pä".encode())
    assert "scrypt" not in repr(made)
    assert "digest" not in repr(made)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hunter2", "Not a hash of scrypt"),
        ("$2b$12$abcdefghijklmnopqrstuv", "Not a hash of scrypt"),
        (EXAMPLE + "=", "Not a hash of scrypt"),
        (EXAMPLE.replace("ln=10", "ln=0"), "Not a hash of scrypt"),
        (EXAMPLE.replace("ln=10", "ln=20"), "The hash needs more than 64 MiB to check"),
        (EXAMPLE.replace("r=8", "r=99").replace("ln=10", "ln=14"), "The hash needs more than 64 MiB to check"),
        (EXAMPLE.replace("p=16", "p=99").replace("ln=10", "ln=15"), "The hash takes too long to check"),
    ],
)
def test_what_cannot_be_used_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_hash(text)
