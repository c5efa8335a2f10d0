"""A new config while requests are under way."""

from collections.abc import Callable

from tests.e2e.configs import config, route
from tests.e2e.gateway import Gateway
from tests.e2e.load import Load
from tests.e2e.origin import Origin

IN_FORCE = r"reload: generation \d+ of the config is in force"
REFUSED = r"reload: refused; generation \d+ of the config stays in force"


def test_serves_by_the_new_config_at_every_worker(start_gateway: Callable[..., Gateway], origin: Origin) -> None:
    gateway = start_gateway(config(route("/old", origin)), workers=2)

    gateway.reload(config(route("/new", origin)), IN_FORCE)

    for _ in range(20):  # enough connections to meet both workers
        assert gateway.request("GET", "/new").status == 200
        assert gateway.request("GET", "/old").status == 404


def test_loses_no_request_while_right_and_wrong_configs_come(
    start_gateway: Callable[..., Gateway], origin: Origin
) -> None:
    kept = route("/kept", origin)
    gateway = start_gateway(config(kept), workers=2)

    with Load(gateway.port, "/kept") as load:
        for turn in range(5):
            gateway.reload(config(kept, route(f"/extra/{turn}/{{id}}", origin)), IN_FORCE)
            load.wait_for(20)
            gateway.reload(config(kept, {"external_path": "nowhere"}), REFUSED)
            load.wait_for(20)

    assert load.failures == []
    assert gateway.request("GET", "/extra/4/1").status == 200
    assert gateway.request("GET", "/extra/3/1").status == 404


def test_a_refusal_names_every_error_and_its_place(start_gateway: Callable[..., Gateway], origin: Origin) -> None:
    gateway = start_gateway(config(route("/a", origin)))
    since = len(gateway.log)

    gateway.reload(config(route("/b", origin, methods=["FETCH"]), route("/c{", origin)), REFUSED)

    assert "/routers/0/methods" in gateway.log.wait_for(r"Invalid HTTP method: FETCH", since).string
    assert "/routers/1/external_path" in gateway.log.wait_for(r"/routers/1", since).string
    assert gateway.request("GET", "/a").status == 200


def test_the_same_config_again_changes_nothing(start_gateway: Callable[..., Gateway], origin: Origin) -> None:
    same = config(route("/a", origin))
    gateway = start_gateway(same)

    gateway.reload(same, r"reload: the config has not changed")

    assert gateway.request("GET", "/a").status == 200


def test_a_request_under_way_ends_by_the_config_it_began_with(
    start_gateway: Callable[..., Gateway], origin: Origin
) -> None:
    gateway = start_gateway(config(route("/slow", origin)))
    origin.hold()
    connection = gateway.connect()
    connection.request("GET", "/slow")
    origin.wait_for(1)

    gateway.reload(config(route("/other", origin)), IN_FORCE)
    origin.release()

    assert connection.getresponse().read() == b"hello"
    connection.request("GET", "/slow")
    assert connection.getresponse().status == 404
    connection.close()
