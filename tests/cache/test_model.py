"""Three workers do anything in any order, and find what a dictionary would hold."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kairos.cache.place import base_directory
from kairos.cache.store import Bounds
from kairos.cache.usage import PAGE, pages
from kairos.traffic.caching.store import Label, Writer
from tests.cache.stores import NOW, Node, stored, whole

KEYS = st.sampled_from([b"a", b"b", b"c", b"d"])
PLACES = st.sampled_from([b"e/a", b"e/a/b", b"e/ab", b"f"])
TAGS = st.lists(st.sampled_from([b"x", b"y"]), max_size=2, unique=True).map(tuple)
WORKERS = st.integers(0, 2)
SIZES = st.sampled_from([0, 1, 3_000, 70_000, 300_000])
Meant: TypeAlias = Callable[[bytes, Label], bool]
SECONDS = st.sampled_from([1.0, 20.0, 40.0, 70.0])


class Workers(RuleBasedStateMachine):
    """The model is what each key holds, and what the writers that are under way may still store."""

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp(prefix="kairos-test-", dir=base_directory(Path("/tmp"))))
        self.node = Node(self.base, workers=3, bounds=Bounds(files=1 << 30, memory=80_000, body=1 << 20))
        self.now = NOW
        self.held: dict[bytes, tuple[Label, bytes]] = {}
        self.writing: dict[int, tuple[Writer, bytes, Label, bytes]] = {}
        self.made = 0

    def text(self, size: int) -> bytes:
        self.made += 1
        return b"%d," % self.made * (size // 4)

    @rule(key=KEYS, worker=WORKERS, place=PLACES, tags=TAGS, size=SIZES)
    def store(self, key: bytes, worker: int, place: bytes, tags: tuple[bytes, ...], size: int) -> None:
        label, text = Label(place, tags, 1e6, b""), self.text(size)
        assert stored(self.node.workers[worker], key, text, about=label)
        self.held[key] = label, text

    @rule(key=KEYS, worker=WORKERS, place=PLACES, tags=TAGS, size=SIZES)
    def begin(self, key: bytes, worker: int, place: bytes, tags: tuple[bytes, ...], size: int) -> None:
        store, label, text = self.node.workers[worker], Label(place, tags, 1e6, b""), self.text(size)
        writer = store.begin(key, label, store.ticket())
        assert writer is not None
        assert writer.write(text)
        self.made += 1
        self.writing[self.made] = writer, key, label, text

    @rule(data=st.data(), is_aborted=st.booleans())
    def end(self, data: st.DataObject, is_aborted: bool) -> None:
        if not self.writing:
            return
        writer, key, label, text = self.writing.pop(data.draw(st.sampled_from(sorted(self.writing))))
        if is_aborted:
            writer.abort()
        elif writer.commit():
            self.held[key] = label, text

    @rule(key=KEYS, worker=WORKERS, tags=TAGS)
    def refresh(self, key: bytes, worker: int, tags: tuple[bytes, ...]) -> None:
        store = self.node.workers[worker]
        entry = store.find(key)
        if entry is None:
            return
        old, text = self.held[key]
        label = Label(old.place, tags, 1e6, b"fresh")
        fresh = store.refresh(key, entry, label, store.ticket())
        assert fresh is not None
        self.held[key] = label, text

    @rule(key=KEYS, worker=WORKERS)
    def remove(self, key: bytes, worker: int) -> None:
        self.node.workers[worker].remove(key)
        self.held.pop(key, None)
        self.forget_writers(lambda other, _: other == key)

    @rule(place=PLACES, below=st.booleans(), worker=WORKERS)
    def purge(self, place: bytes, below: bool, worker: int) -> None:
        def is_meant(_: bytes, label: Label) -> bool:
            return label.place.startswith(place) if below else label.place == place

        self.node.workers[worker].purge(place, below=below)
        self.forget(is_meant)

    @rule(tag=st.sampled_from([b"x", b"y", b"z"]), worker=WORKERS)
    def purge_tag(self, tag: bytes, worker: int) -> None:
        self.node.workers[worker].purge_tag(tag)
        self.forget(lambda _, label: tag in label.tags)

    @rule(worker=WORKERS)
    def purge_all(self, worker: int) -> None:
        self.node.workers[worker].purge(b"", below=True)
        self.forget(lambda _, __: True)

    @rule(worker=WORKERS)
    def restart(self, worker: int) -> None:
        old = self.node.workers[worker]
        self.node.workers[worker] = self.node.worker(worker)
        old.close()

    @rule(seconds=SECONDS, worker=WORKERS)
    def tick(self, seconds: float, worker: int) -> None:
        self.now += seconds
        for _ in range(10):
            self.node.workers[worker].tick(self.now)

    @rule(key=KEYS, worker=WORKERS)
    def find(self, key: bytes, worker: int) -> None:
        entry = self.node.workers[worker].find(key)
        found = None if entry is None else (entry.label, whole(entry))
        assert found == self.held.get(key)

    @invariant()
    def usage_is_right(self) -> None:
        files = self.node.files() + self.node.unfinished()
        assert self.node.workers[0].files.usage.total() == sum(pages(path.stat().st_size) for path in files) * PAGE

    def forget(self, is_meant: Meant) -> None:
        self.held = {key: held for key, held in self.held.items() if not is_meant(key, held[0])}
        self.forget_writers(is_meant)

    def forget_writers(self, is_meant: Meant) -> None:
        for number, (writer, key, label, _) in list(self.writing.items()):
            if is_meant(key, label):
                assert not writer.commit()
                del self.writing[number]

    def teardown(self) -> None:
        for key in (b"a", b"b", b"c", b"d"):
            for worker in range(3):
                self.find(key, worker)
        self.writing.clear()
        self.node.close()
        shutil.rmtree(self.base)


Workers.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestWorkers = Workers.TestCase
