"""The spare descriptor: there for a message when nothing else is free."""

import os

from kairos.workers.spare import SpareDescriptor
from tests.workers.test_channel import few_descriptors, open_fds


def test_it_leaves_room_for_one() -> None:
    before = open_fds()
    spare = SpareDescriptor()

    with few_descriptors(0):
        with spare.given_up():
            os.close(os.dup(0))
        with spare.given_up():
            os.close(os.dup(0))

    spare.close()
    spare.close()
    assert open_fds() == before


def test_what_was_taken_for_good_is_held_again_later() -> None:
    spare = SpareDescriptor()
    with few_descriptors(0):
        with spare.given_up():
            taken = os.dup(0)
        os.close(taken)
        with spare.given_up():
            pass
        with spare.given_up():
            os.close(os.dup(0))

    spare.close()
