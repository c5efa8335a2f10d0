"""Which rate limiters the requests of a route pass."""

from collections import Counter
from typing import TYPE_CHECKING

from kairos._speedups.buckets import Buckets
from kairos.config.document import RateLimit, Route
from kairos.traffic.rate_limit import COUNTED_BY, FOR_EACH_ROUTE, USER, RateLimiter, Rule

if TYPE_CHECKING:
    from kairos._speedups import Cells as Row


def rate_filters(
    route: Route, buckets: Buckets, hash_key: bytes, row: "Row"
) -> tuple[list[RateLimiter], list[RateLimiter]]:
    """Return the limiters that come before authentication, and those that come after it because they count users.

    What is in force is judged in one step, the limits of the gateway together with those of the route; each block that
    is only tried out is judged by itself.
    """
    before: list[RateLimiter] = []
    after: list[RateLimiter] = []
    rules = named_rules(route, hash_key)
    for dry_run, group in ((False, (0, 1)), (True, (0,)), (True, (1,))):
        chosen = [one for one in route.rate_limits if one.dry_run == dry_run and one.group in group]
        early = [rules[id(one)] for one in chosen if not counts_users(one)]
        late = [rules[id(one)] for one in chosen if counts_users(one)]
        first = None
        if early:
            first = RateLimiter(early, buckets, row, dry_run=dry_run, is_last=not late)
            before.append(first)
        if late:
            after.append(RateLimiter(late, buckets, row, dry_run=dry_run, before=first))
    return before, after


def counts_users(limit: RateLimit) -> bool:
    """Say whether a limit has to know who was authenticated."""
    return COUNTED_BY.get(limit.strategy) == USER


def named_rules(route: Route, hash_key: bytes) -> dict[int, Rule]:
    """Make the rules of a route, by the identity of their limits.

    What is counted under the same prefix is counted together: in all workers, after a reload, and after a change of
    nothing but the numbers of a limit.
    """
    rules: dict[int, Rule] = {}
    prefixes: Counter[str] = Counter()
    names: Counter[str] = Counter()
    for limit in route.rate_limits:
        names[limit.strategy] += 1
        number = names[limit.strategy]
        prefix = scope(limit, route)
        prefixes[prefix] += 1
        name = limit.strategy if number == 1 else f"{limit.strategy}-{number}"
        rules[id(limit)] = Rule(limit, f"{prefix} {prefixes[prefix]}\n".encode(), name, hash_key)
    return rules


def scope(limit: RateLimit, route: Route) -> str:
    """Return what a limit is called in what the workers share."""
    where = "" if limit.is_global else f"{route.hosts} {route.external_path} {route.methods}"
    if limit.is_global and limit.strategy in FOR_EACH_ROUTE:
        where = route.external_path
    kind = f"{limit.window} {limit.seconds} {limit.requests + limit.burst > 1024}"
    return f"rate {limit.is_global} {where} {limit.strategy} {limit.header} {kind}"
