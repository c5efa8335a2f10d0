"""Rules about named values, be they header fields or query parameters, and what comes of several about one name.

How it works: what the rules about one name do depends only on whether the name is there at first, so both outcomes are
worked out once. The rules of different names do not meet, which keeps the meaning of "in the listed order".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kairos._speedups import FieldSet
from kairos.config.regex import Substitution
from kairos.config.transformations import FieldRule


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a name: a new value, or nothing, or what was there."""

    value: bytes | None = None
    is_kept: bool = False
    """Whether what was there stays, changed by the substitutions."""
    substitutions: tuple[Substitution, ...] = ()

    @property
    def is_untouched(self) -> bool:
        """Say whether what was there stays as it was."""
        return self.is_kept and not self.substitutions

    def changed(self, value: bytes) -> bytes:
        """Change a value that stays."""
        for substitution in self.substitutions:
            value = substitution.all(value)
        return value


def outcome(rules: Iterable[FieldRule], *, is_present: bool) -> Outcome:
    """Work out what becomes of a name that is there at first, or is not."""
    state = Outcome(is_kept=is_present)
    for rule in rules:
        is_there = state.is_kept or state.value is not None
        if rule.action == "remove":
            state = Outcome()
        elif rule.action == "set" or (rule.action == "add" and not is_there):
            state = Outcome((rule.value or "").encode())
        elif rule.action == "replace" and is_there:
            state = _replaced(state, rule)
    return state


def _replaced(state: Outcome, rule: FieldRule) -> Outcome:
    if rule.pattern is None:
        return Outcome((rule.value or "").encode())
    substitution = Substitution(rule.pattern, rule.replacement or "")
    if state.value is not None:
        return Outcome(substitution.all(state.value))
    return Outcome(is_kept=True, substitutions=(*state.substitutions, substitution))


def by_name(rules: Iterable[FieldRule], *, folds: bool) -> dict[str, list[FieldRule]]:
    """Put the rules about one name together, in the order of the first about each; `folds` takes `A` for `a`."""
    found: dict[str, list[FieldRule]] = {}
    for rule in rules:
        found.setdefault(rule.name.lower() if folds else rule.name, []).append(rule)
    return found


class _Conditional:
    """A field for which it matters whether it is there."""

    __slots__ = ("_absent", "_name", "_present", "_start")

    def __init__(self, name: str, present: Outcome, absent: Outcome) -> None:
        self._name = name.encode()
        self._present, self._absent = present, absent
        self._start = self._name.lower() + b":"

    def lines(self, value: bytes | None, head: bytes) -> bytes:
        """Return the lines to add, if the field has this value in a head; None is not there."""
        if value is None:
            return b"" if self._absent.value is None else self._line(self._absent.value)
        if self._present.value is not None:
            return self._line(self._present.value)
        if not self._present.substitutions:
            return b""
        return b"".join([self._line(self._present.changed(one)) for one in self._values(head)])

    def _values(self, head: bytes) -> list[bytes]:
        """Return the values of all lines of the field, one by one: some fields cannot be joined."""
        size = len(self._start)
        lines = head.split(b"\r\n")
        return [line[size:].strip(b" \t") for line in lines if line[:size].lower() == self._start]

    def _line(self, value: bytes) -> bytes:
        return b"%b: %b\r\n" % (self._name, value)


class HeaderChange:
    """Change the header fields of a head, in one pass where the rules allow."""

    __slots__ = ("_always", "_conditional", "_dropped", "_looked")

    def __init__(self, rules: Sequence[FieldRule]) -> None:
        always, dropped = [], []
        conditional: dict[bytes, _Conditional] = {}
        for name, group in by_name(rules, folds=True).items():
            spelled, key = group[0].name, name.encode()
            present, absent = outcome(group, is_present=True), outcome(group, is_present=False)
            if not present.is_untouched:
                dropped.append(key)
            if present == absent:  # whatever was there
                if present.value is not None:
                    always.append(b"%b: %b\r\n" % (spelled.encode(), present.value))
            else:
                conditional[key] = _Conditional(spelled, present, absent)
        self._always = b"".join(always)
        self._dropped = FieldSet(tuple(dropped))
        self._looked = FieldSet(tuple(conditional))
        self._conditional = tuple(conditional.values())

    def apply(self, head: bytes) -> bytes:
        """Return a head, from its first line to the empty one, with its fields changed."""
        first = head[: head.find(b"\n") + 1]
        added: list[bytes] = []
        if self._conditional:
            values = self._looked.values(head)
            added = [one.lines(value, head) for one, value in zip(self._conditional, values, strict=True)]
        return self._dropped.copy_without(head, (first,), (self._always, *added, b"\r\n"))
