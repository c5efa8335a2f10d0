"""The reference page is that of the model."""

import json
import re
from pathlib import Path

from kairos.config.reference import page
from tests.config.operators import Operator

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_in_the_docs_is_the_one_that_the_model_gives() -> None:
    assert PAGE.read_text() == page(), "renew it: python -m kairos.config.reference > docs/configuration.md"


def test_every_link_leads_to_a_section() -> None:
    sections = {title.lower().replace(" ", "-") for title in re.findall(r"^## (.*)$", page(), re.MULTILINE)}
    links = set(re.findall(r"\]\(#([^)]*)\)", page()))

    assert links
    assert links <= sections


def test_no_row_is_broken() -> None:
    for table in re.findall(r"(?:^\|.*\n)+", page(), re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(cells) == 1, table


def test_the_smallest_config_loads(operator: Operator) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", page(), re.DOTALL)
    assert operator.errors(json.loads(example)) == []
