"""The files with published keys that a config names."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kairos.config.authorities import Authorities
from kairos.config.environment import read_file
from kairos.config.findings import Draft
from kairos.config.jwk import MAX_SET_BYTES, read_set
from kairos.config.source import reason
from kairos.config.validate import Validated


@dataclass(frozen=True, slots=True)
class KeySet:
    """A usable file: where it is, and what was in it."""

    path: str
    content: str


@dataclass(slots=True)
class KeySets:
    """Reads each file once: what was checked is what is told to the workers. Relative names start in `folder`."""

    folder: Path
    found: dict[str, KeySet | ValueError] = field(default_factory=dict)

    def of(self, name: str) -> KeySet:
        """Return what is known of a file. Raises ValueError with the reason why it is unusable."""
        if name not in self.found:
            self.found[name] = self.look(name)
        found = self.found[name]
        if isinstance(found, ValueError):
            raise found
        return found

    def look(self, name: str) -> KeySet | ValueError:
        """Read a file and see whether there are keys in it."""
        path = (self.folder / name).absolute()
        try:
            data = read_file(path, MAX_SET_BYTES)
            read_set(data)
            return KeySet(str(path), data.decode())
        except OSError as exc:
            return ValueError(f"Cannot read key set '{path}': {reason(exc)}")
        except ValueError as exc:
            return ValueError(f"Cannot use key set '{path}': {exc}")


def unusable_key_sets(validated: Validated, key_sets: KeySets, authorities: Authorities) -> Iterator[Draft]:
    """Report files from which no keys can be read, or with which no certificate can be checked."""
    jwks = validated.config.jwt.jwks if validated.config and validated.config.jwt else None
    if jwks is None:
        return
    if jwks.file is not None:
        try:
            key_sets.of(jwks.file)
        except ValueError as exc:
            fix = "give the path of a readable file with public keys as JSON, relative to the config file"
            yield Draft("error", ("jwt", "jwks", "file"), str(exc), fix)
    if jwks.ca_file is not None:
        try:
            authorities.of(jwks.ca_file)
        except ValueError as exc:
            fix = "give the path of a readable file with certificates as PEM, relative to the config file"
            yield Draft("error", ("jwt", "jwks", "ca_file"), str(exc), fix)
