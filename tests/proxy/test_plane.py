"""What the connections of a worker share."""

from uuid import RFC_4122, UUID

from tests.proxy.world import World


def test_request_ids_are_random_uuids(world: World) -> None:
    ids = [world.plane.request_id().decode() for _ in range(1000)]

    assert len(set(ids)) == 1000
    for text in ids:
        made = UUID(text)
        assert (made.version, made.variant, str(made)) == (4, RFC_4122, text)
    assert {UUID(text).bytes[8] >> 6 for text in ids} == {2}


def test_a_new_plane_is_neither_ready_nor_draining(world: World) -> None:
    plane = world.plane

    assert (plane.is_ready, plane.is_draining, plane.downstreams, plane.access_log) == (False, False, set(), None)
