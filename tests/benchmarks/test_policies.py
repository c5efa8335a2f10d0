"""Every policy has a route that the gateway takes, and its cost is a difference within one round."""

import json
from pathlib import Path

from benchmarks.load.compare import Figures
from benchmarks.load.policies import NOTHING, POLICIES, Policy, credentials, router_of, row, together
from kairos.cli.check import judge


def test_the_gateway_takes_each_policy_and_all_of_them(tmp_path: Path) -> None:
    settings = [*(policy.settings for policy in POLICIES), together(POLICIES)]
    routers = [router_of(number, one, 8080) for number, one in enumerate(settings)]
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"version": 1, "routers": routers, **credentials()}), encoding="utf-8")

    verdict = judge(path, strict=False, allow_inactive=False)

    assert verdict.exit_code == 0, verdict.as_text()
    assert "not active" not in verdict.as_text()


def test_rules_for_the_same_message_stand_together() -> None:
    headers = Policy("a", {"request_transformation": {"headers": [1]}})
    path = Policy("b", {"request_transformation": {"path": 2}})
    alone = Policy("c", {"auth": {"schemes": ["basic"]}}, is_alone=True)

    assert together([headers, path, alone]) == {"request_transformation": {"headers": [1], "path": 2}}


def test_a_cost_is_the_difference_to_nothing_in_the_same_round() -> None:
    def rounds(*cpu: float) -> list[Figures]:
        return [Figures(1000.0, one, 1.0, 30.0) for one in cpu]

    found = {NOTHING: rounds(20.0, 40.0, 30.0), "quota": rounds(22.0, 41.0, 29.5)}

    assert row(NOTHING, found) == [NOTHING, "30.0", "", "1,000"]
    assert row("quota", found) == ["quota", "29.5", "+1.0 (-0.5 to +2.0)", "1,000"]
