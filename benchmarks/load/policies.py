"""What each policy costs: processor time per small request, beside that of a route without any."""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import jwt

from benchmarks.load import compare, figures, machine, nginx, progress, scenarios, table
from benchmarks.load.compare import LOAD_CPU, PROXY_CPU, Figures
from benchmarks.load.gateway import Gateway, router
from benchmarks.load.options import positive
from benchmarks.load.scenarios import REQUEST_FIELDS, SCENARIOS, Scenario

NOTHING = "nothing"
ALL = "all of them"
HEADER = ("policy", "CPU us/req", "more than nothing, us", "req/s")
CONNECTIONS = SCENARIOS["small"].connections
ORIGIN = "https://app.example.com"
API_KEY = "6f1d0c5b9a2e4837b8d1f60c7e935a42"
SECRET = "5b1f6e0d9c4a47e2b8d3f1a09c7e6d52"
TOKEN_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as the settings of a route."""

    name: str
    settings: Mapping[str, object] = field(default_factory=dict)
    is_alone: bool = False
    """Whether it has no part in `all of them`, because then others would have none."""


POLICIES = (
    Policy("rate limit by address", {"rate_limit": {"requests_per_window": 10**9, "window_type": "TokenBucket"}}),
    Policy("access list", {"access_list": {"allow": ["127.0.0.0/8", "10.0.0.0/8"], "deny": ["203.0.113.0/24"]}}),
    Policy("JWT, remembered", {"auth": {"schemes": ["jwt"]}}),
    Policy("API key", {"auth": {"schemes": ["api_key"]}}, is_alone=True),
    Policy("CORS", {"cors": {"allowed_origins": [ORIGIN], "allow_credentials": True}}),
    Policy(
        "security headers",
        {"security_headers": {"x_frame_options": "DENY", "referrer_policy": "strict-origin-when-cross-origin"}},
    ),
    Policy("request checks", {"request_checks": {"blocked_user_agents": ["sqlmap", "nikto", "nmap", "masscan"]}}),
    Policy(
        "header rules",
        {
            "request_transformation": {
                "headers": [
                    {"action": "set", "name": "X-Version", "value": "1"},
                    {"action": "remove", "name": "Sec-Fetch-Dest"},
                ]
            },
            "response_transformation": {
                "headers": [
                    {"action": "set", "name": "Vary", "value": "Accept"},
                    {"action": "remove", "name": "Server"},
                ]
            },
        },
    ),
    Policy(
        "path rule",
        {"request_transformation": {"path": {"pattern": "^/items/([0-9]+)$", "replacement": "/articles/$1"}}},
    ),
    Policy(
        "JSON rules",
        {
            "response_transformation": {
                "json_body": {
                    "rules": [
                        {"action": "set", "pointer": "/price/currency", "value": "USD"},
                        {"action": "rename", "pointer": "/name", "to": "/title"},
                    ]
                }
            }
        },
    ),
    Policy("compression", {"compression": {}}),
    Policy("cache, hit", {"cache": {}, "internal_path": "/public/{id}"}, is_alone=True),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--rounds", type=positive, default=5, help="how often each policy has its turn (%(default)s)")
    parser.add_argument("--seconds", type=positive, default=3, help="how long a turn is (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Measure, and print a table."""
    machine.require_tools("nginx", "wrk", "taskset")
    machine.require_cpus(2)
    with TemporaryDirectory(prefix="kairos-load-") as name:
        found = measure(Path(name), options.rounds, options.seconds)
    print(f"{machine.describe()}; {options.rounds} rounds of {options.seconds} s, medians")
    print(f"More than nothing: the difference to `{NOTHING}` in the same round; the median (least-largest)\n")
    print(table.markdown(HEADER, [row(name, found) for name in found]))
    return 0


def measure(folder: Path, rounds: int, seconds: int) -> dict[str, list[Figures]]:
    """Load each route in turn, each round in another order. They belong to one gateway: only the route differs."""
    routes = {NOTHING: {}} | {policy.name: policy.settings for policy in POLICIES} | {ALL: together(POLICIES)}
    asked = [Scenario(name, f"/{number}/items/42", CONNECTIONS) for number, name in enumerate(routes)]
    found: dict[str, list[Figures]] = {name: [] for name in routes}
    with nginx.origin(folder, cpu=LOAD_CPU) as origin:
        routers = [router_of(number, settings, origin.port) for number, settings in enumerate(routes.values())]
        with Gateway(folder, origin.port, cpu=PROXY_CPU, routers=routers, **credentials()) as gateway:
            script = scenarios.write_script(folder / "fields.lua", fields())
            for one in asked:
                compare.turn(gateway, one, script, seconds=1)  # to warm up
            for number in range(rounds):
                first = number % len(asked)
                for one in (*asked[first:], *asked[:first]):
                    progress.tell(f"round {number + 1} of {rounds}, {one.name}")
                    found[one.name].append(compare.turn(gateway, one, script, seconds))
            gateway.check()
    progress.tell("")
    return found


def router_of(number: int, settings: Mapping[str, object], origin_port: int) -> Mapping[str, object]:
    """Make the route with one policy."""
    return router(f"/{number}/items/{{id}}", origin_port, **{"internal_path": "/items/{id}", **settings})


def together(policies: Sequence[Policy]) -> Mapping[str, object]:
    """Return the settings of a route with all policies. Both rules of a request are in the same block."""
    merged: dict[str, object] = {}
    for policy in policies:
        for name, block in policy.settings.items():
            if not policy.is_alone:
                merged[name] = {**merged.get(name, {}), **block}  # type: ignore[dict-item]
    return merged


def credentials() -> Mapping[str, object]:
    """Return what the gateway knows of who may come."""
    return {
        "jwt": {"secret": SECRET},
        "api_keys": {"keys": [{"name": "load", "sha256": sha256(API_KEY.encode()).hexdigest()}]},
    }


def fields() -> Mapping[str, str]:
    """Return the fields that satisfy all policies. All routes get them, so that the requests do not differ."""
    token = jwt.encode({"sub": "load", "exp": int(time.time()) + TOKEN_SECONDS}, SECRET, "HS256")
    return {**REQUEST_FIELDS, "Authorization": f"Bearer {token}", "X-API-Key": API_KEY, "Origin": ORIGIN}


def row(name: str, found: Mapping[str, Sequence[Figures]]) -> list[str]:
    """Make the row of one policy."""
    cpu = [one.cpu_us for one in found[name]]
    more = [with_it - without.cpu_us for with_it, without in zip(cpu, found[NOTHING], strict=True)]
    per_second = figures.spread([one.per_second for one in found[name]]).middle
    return [name, f"{figures.spread(cpu).middle:.1f}", "" if name == NOTHING else signed(more), f"{per_second:,.0f}"]


def signed(differences: Sequence[float]) -> str:
    """Show the middle of differences, and how far they lie apart."""
    spread = figures.spread(differences)
    return f"{spread.middle:+.1f} ({spread.low:+.1f} to {spread.high:+.1f})"
