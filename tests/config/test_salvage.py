"""A value is taken out; all others keep their place."""

from copy import deepcopy
from typing import Any

import pytest

from kairos.config.findings import JsonPath
from kairos.config.model import Config
from kairos.config.salvage import NEUTRAL, Salvage
from tests.config.configs import STRICT, backend, config, router


def salvaged(tree: dict[str, Any], *wrong: JsonPath) -> Salvage:
    salvage = Salvage(deepcopy(tree))
    salvage.take_out(wrong)
    return salvage


def test_what_is_not_needed_is_left_out() -> None:
    salvage = salvaged(config(server={"port": "x", "workers": 2}), ("server", "port"))

    assert salvage.tree == config(server={"workers": 2})
    assert salvage.broken == {("server", "port")}


@pytest.mark.parametrize("place", list(NEUTRAL), ids=str)
def test_what_is_needed_becomes_something_that_is_right(place: JsonPath) -> None:
    path = tuple(0 if step == "*" else step for step in place)
    given = config(router(host="https://a", port=1), router("/b"))

    salvage = salvaged(given, path)

    assert salvage.broken == {path}
    assert Config.model_validate(salvage.tree)


def test_an_item_of_an_array_becomes_a_copy_of_a_right_one() -> None:
    salvage = salvaged(
        config(router(methods=["get", "PUT", 7])), ("routers", 0, "methods", 0), ("routers", 0, "methods", 2)
    )
    assert salvage.tree["routers"][0]["methods"] == ["PUT", "PUT", "PUT"]


def test_an_array_without_a_right_item_is_wrong_itself() -> None:
    salvage = salvaged(config(router(hosts=["a:80"])), ("routers", 0, "hosts", 0))

    assert "hosts" not in salvage.tree["routers"][0]
    assert salvage.broken == {("routers", 0, "hosts", 0), ("routers", 0, "hosts")}


def test_an_object_that_lacks_what_nothing_can_replace_is_wrong_itself() -> None:
    salvage = salvaged(config(jwt={"issuer": "me"}), ("jwt", "secret"))

    assert "jwt" not in salvage.tree
    assert salvage.broken == {("jwt", "secret"), ("jwt",)}


def test_wrong_items_are_not_replaced_by_each_other() -> None:
    rules = [{"name": "a"}, {"action": "add"}]
    headers: JsonPath = ("routers", 0, "request_transformation", "headers")
    given = config(router(request_transformation={"headers": rules}))

    salvage = salvaged(given, (*headers, 0, "action"), (*headers, 1, "name"))

    assert salvage.tree["routers"][0]["request_transformation"] == {}


def test_every_place_can_be_taken_out_at_once() -> None:
    wrong = [(key,) for key in STRICT] + [("routers", 1, "backends", 0), ("routers", 1, "backends", 1, "port")]
    assert Config.model_validate(salvaged(STRICT, *wrong).tree).version == 0


def test_the_backends_of_a_router_keep_their_index() -> None:
    given = config(router(backends=[7, backend("https://b")]))
    salvage = salvaged(given, ("routers", 0, "backends", 0))

    assert [one["host"] for one in salvage.tree["routers"][0]["backends"]] == ["https://b", "https://b"]
