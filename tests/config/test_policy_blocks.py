"""What workers get of the policies that say who may pass, and in which form."""

from kairos.config.policies import AccessList
from tests.config.configs import config, router
from tests.config.operators import Operator


def test_a_route_has_the_access_list_of_the_gateway_and_its_own(operator: Operator) -> None:
    own = {"allow": ["10.1.0.0/16", "10.1.0.0/16"]}
    given = config(router("/a", access_list=own), router("/b"), access_list={"deny": ["2001:DB8:0::/32"]})

    first, second = operator.document(given, allow_inactive=False).routes

    assert first.access_lists == (AccessList(deny=("2001:db8::/32",)), AccessList(allow=("10.1.0.0/16",)))
    assert second.access_lists == (AccessList(deny=("2001:db8::/32",)),)


def test_an_access_list_that_says_nothing_is_none(operator: Operator) -> None:
    (route,) = operator.document(config(router(access_list={}), access_list={"allow": [], "deny": []})).routes
    assert route.access_lists == ()


def test_an_allowed_network_that_is_denied_as_a_whole_is_a_warning(operator: Operator) -> None:
    lists = {"allow": ["10.1.0.0/16", "192.0.2.0/24", "2001:db8::/32"], "deny": ["10.0.0.0/8", "192.0.2.128/25"]}
    message = "10.1.0.0/16 is part of 10.0.0.0/8, which is denied: deny wins, so nobody comes in from there"

    for given, place in ((config(access_list=lists), ""), (config(router(access_list=lists)), "/routers/0")):
        assert operator.warnings(given) == [(f"{place}/access_list/allow/0", message)]
