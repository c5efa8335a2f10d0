"""`kairos schema`."""

import json

from click.testing import CliRunner

from kairos.cli.schema import schema
from kairos.config.schema import json_schema


def test_the_schema_is_printed_as_json() -> None:
    result = CliRunner().invoke(schema)

    assert result.exit_code == 0
    assert json.loads(result.stdout) == json_schema()
