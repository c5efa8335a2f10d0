"""Passwords kept as hashes of scrypt (RFC 7914), in the form that passlib and others write too.

    $scrypt$ln=15,r=8,p=3$<salt>$<hash>

`ln` is the logarithm of the work factor N, `r` the block size, `p` the parallelism; salt and hash are base64 without
padding.
"""

import hashlib
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from hmac import compare_digest

FORM = re.compile(
    r"\$scrypt\$ln=([1-9][0-9]?),r=([1-9][0-9]?),p=([1-9][0-9]?)\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})"
)
MAX_BYTES = 64 << 20  # of memory for one check
MAX_WORK = 1 << 22  # blocks to mix: about two seconds
SOUND_WORK = 3 << 18  # as of N = 2**15, r = 8, p = 3, which OWASP recommends
SALT_BYTES, HASH_BYTES = 16, 32


@dataclass(frozen=True, slots=True)
class Hash:
    """What a password is checked against."""

    cost: int
    block: int
    parallel: int
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    @property
    def work(self) -> int:
        """How many blocks are mixed."""
        return self.cost * self.block * self.parallel

    def fits(self, password: bytes) -> bool:
        """Say whether this is the password. It takes as long as the hash was made to take."""
        return compare_digest(self.of(password), self.digest)

    def of(self, password: bytes) -> bytes:
        """Return the hash of a password with the same salt and cost."""
        return hashlib.scrypt(
            password,
            salt=self.salt,
            n=self.cost,
            r=self.block,
            p=self.parallel,
            maxmem=MAX_BYTES + (1 << 20),
            dklen=len(self.digest),
        )

    def __str__(self) -> str:
        salt, digest = (b64encode(data).decode().rstrip("=") for data in (self.salt, self.digest))
        return f"$scrypt$ln={self.cost.bit_length() - 1},r={self.block},p={self.parallel}${salt}${digest}"


def read_hash(text: str) -> Hash:
    """Read a hash. Raises ValueError for what is none, or would cost too much to check."""
    match = FORM.fullmatch(text)
    if match is None:
        raise ValueError("Not a hash of scrypt")
    cost, block, parallel = 1 << int(match[1]), int(match[2]), int(match[3])
    if 128 * block * cost > MAX_BYTES:
        raise ValueError(f"The hash needs more than {MAX_BYTES >> 20} MiB to check")
    found = Hash(cost, block, parallel, unpadded(match[4]), unpadded(match[5]))
    if found.work > MAX_WORK:
        raise ValueError("The hash takes too long to check")
    return found


def make_hash(password: bytes, salt: bytes) -> Hash:
    """Hash a new password. The salt has to be random."""
    empty = Hash(1 << 15, 8, 3, salt, bytes(HASH_BYTES))
    return Hash(empty.cost, empty.block, empty.parallel, salt, empty.of(password))


def unpadded(text: str) -> bytes:
    """Read base64 without padding."""
    return b64decode(text + "=" * (-len(text) % 4))
