"""What workers get of the settings of the cache."""

import pytest

from kairos.config.document import CacheStore, Document
from kairos.config.policies import Cache
from tests.config.configs import config, router
from tests.config.operators import Operator

STATUSES = (200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501)


def test_nothing_is_stored_unless_the_route_says_so(operator: Operator) -> None:
    document = operator.document(config(router("/a"), router("/b", cache={})))

    assert [route.cache for route in document.routes] == [None, Cache(default_statuses=STATUSES)]
    assert document.settings.cache == CacheStore()


def test_every_setting_comes_from_the_file(operator: Operator) -> None:
    own = {
        "default_ttl_seconds": 1.5,
        "default_ttl_statuses": [200, 404, 200],
        "max_ttl_seconds": 3600,
        "stale_while_revalidate_seconds": 30,
        "stale_if_error_seconds": 60,
        "max_body_bytes": 2**63,
        "query_parameters": ["id", "id"],
        "vary_headers": ["X-Device", "Accept", "x-device"],
        "by_host": False,
        "obey_client_cache_control": True,
        "tags_header": "Surrogate-Key",
        "purge_from": ["10.0.0.0/8"],
    }
    whole = {"max_bytes": 2**30, "memory_bytes_per_worker": 0, "directory": "/var/cache"}

    document = operator.document(config(router(cache=own), cache=whole))

    assert document.routes[0].cache == Cache(
        default_ttl=1.5,
        default_statuses=(200, 404),
        max_ttl=3600,
        stale_while_revalidate=30,
        stale_if_error=60,
        max_body_bytes=2**63 - 1,
        query=("id",),
        headers=("accept", "x-device"),
        by_host=False,
        obeys_clients=True,
        tags_header="surrogate-key",
        purge_from=("10.0.0.0/8",),
    )
    assert document.settings.cache == CacheStore(2**30, 0, "/var/cache")
    assert Document.decode(document.encode()) == document


@pytest.mark.parametrize(
    ("block", "place"),
    [
        ({"default_ttl_seconds": 0}, "default_ttl_seconds"),
        ({"default_ttl_statuses": [100]}, "default_ttl_statuses/0"),
        ({"vary_headers": ["*"]}, "vary_headers/0"),
        ({"vary_headers": ["a b"]}, "vary_headers/0"),
        ({"tags_header": ""}, "tags_header"),
        ({"query_parameters": [""]}, "query_parameters/0"),
        ({"purge_from": ["10.0.0.1/8"]}, "purge_from/0"),
    ],
)
def test_what_makes_no_sense_is_refused(operator: Operator, block: dict[str, object], place: str) -> None:
    assert [where for where, _ in operator.errors(config(router(cache=block)))] == [f"/routers/0/cache/{place}"]


@pytest.mark.parametrize("more", [{"methods": ["POST"]}, {"protocol": "dns", "host": "dns://127.0.0.1", "port": 53}])
def test_a_cache_that_stays_empty_is_a_warning(operator: Operator, more: dict[str, object]) -> None:
    warnings = [where for where, _ in operator.warnings(config({**router(cache={}), **more}))]

    assert "/routers/0/cache" in warnings
