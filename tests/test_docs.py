"""The examples in the documentation do what they show."""

import doctest
import fcntl
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir

import pytest

from tests.e2e.gateway import HOST, Gateway

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", ROOT / "CHANGES.md", *sorted((ROOT / "docs").glob("*.md")))
SHOWN_AS = "localhost:5900"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    def examples(self) -> Iterator[tuple[str, str]]:
        """Yield each command with the output shown below it."""
        for example in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            command, _, output = example.replace("\\\n", "").partition("\n")
            yield command, output

    def is_config(self) -> bool:
        """Say whether this is a whole config, not a piece of one."""
        return self.language == "json" and '"routers"' in self.text


def blocks() -> Iterator[Block]:
    """Find the fenced blocks of all pages."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(r"^```(\w+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
            yield Block(page, text.count("\n", 0, match.start()) + 1, match[1], match[2])


CURL_EXAMPLES = [
    pytest.param(command, output, id=f"{block}-{number}")
    for block in blocks()
    if block.language == "console"
    for number, (command, output) in enumerate(block.examples())
    if command.startswith("curl ")
]
CONFIGS = [pytest.param(block.text, id=str(block)) for block in blocks() if block.is_config()]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Run what `make run` runs. Its backends have fixed ports: another run of the tests has to wait."""
    with (Path(gettempdir()) / "kairos-test-docs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with Gateway(tmp_path_factory.mktemp("demo"), ROOT / "config.example.json", "--demo") as running:
            yield running


@pytest.mark.tool("curl")
@pytest.mark.parametrize(("command", "shown"), CURL_EXAMPLES)
def test_curl_prints_what_the_page_shows(demo: Gateway, command: str, shown: str) -> None:
    words = shlex.split(command.replace(SHOWN_AS, f"{HOST}:{demo.port}"))

    words += ["--silent", "--show-error"]
    result = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)

    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.OutputChecker().check_output(shown, result.stdout, flags), f"{command} printed:\n{result.stdout}"


@pytest.mark.parametrize("text", CONFIGS)
def test_a_config_on_a_page_passes_the_check(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(text, encoding="utf-8")

    command = [sys.executable, "-m", "kairos", "check", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("block", [block for block in blocks() if block.language == "json"], ids=str)
def test_json_on_a_page_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_make_targets_on_the_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))

    for page in PAGES:
        named = set(re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(encoding="utf-8"), flags=re.MULTILINE))
        assert named <= targets, page


def test_every_reason_for_a_refusal_is_explained() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "kairos").rglob("*.py"))
    page = (ROOT / "docs/http.md").read_text(encoding="utf-8")

    reasons = set(re.findall(r'reason="(\w+)"', sources))
    assert len(reasons) >= 20
    assert {reason for reason in reasons if f"`{reason}`" not in page} == set()


def test_the_pages_have_examples() -> None:
    assert len(CURL_EXAMPLES) >= 5
    assert CONFIGS
