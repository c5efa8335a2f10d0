"""The codings, read by the decoders that clients have."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.traffic.encoders import encoder, inline_bytes
from tests.decoding import Decoder, decoded

LEVELS = {"br": (0, 4, 11), "zstd": (1, 3, 19), "gzip": (1, 4, 9)}
CODINGS = tuple(LEVELS)
ALL = [(coding, level) for coding, levels in LEVELS.items() for level in levels]
TEXT = b"".join(b'{"id":%d,"name":"number %d"},' % (number, number * number) for number in range(3_000))


@pytest.mark.parametrize(("coding", "level"), ALL)
@pytest.mark.parametrize("size", [0, 1, 100, 1024, 70_000])
@pytest.mark.parametrize("is_known", [True, False])
def test_a_body_comes_out_as_it_went_in(coding: str, level: int, size: int, is_known: bool) -> None:
    body = TEXT[:size]
    subject = encoder(coding.encode(), level, size if is_known else None)

    sent = b"".join(subject.feed(body[at : at + 999], flush=False) for at in range(0, size, 999)) + subject.finish(b"")

    assert decoded(coding, sent) == body
    assert size < 1000 or len(sent) < size / 2


@pytest.mark.parametrize("coding", CODINGS)
def test_after_a_flush_everything_can_be_read(coding: str) -> None:
    subject, client = encoder(coding.encode(), LEVELS[coding][1], None), Decoder(coding)

    for piece in (b"data: 1\n\n", b"data: 2\n\n", TEXT, b"x"):
        assert client.feed(subject.feed(piece, flush=True)) == piece

    assert client.feed(subject.finish(b"end")) == b"end"
    assert client.is_whole


@given(st.sampled_from(ALL), st.lists(st.tuples(st.binary(max_size=400), st.booleans()), max_size=8), st.booleans())
def test_it_does_not_matter_how_a_body_is_cut(
    kind: tuple[str, int], pieces: list[tuple[bytes, bool]], is_known: bool
) -> None:
    coding, level = kind
    body = b"".join(piece for piece, _ in pieces)
    subject = encoder(coding.encode(), level, len(body) if is_known else None)

    sent = b"".join(subject.feed(piece, flush=flush) for piece, flush in pieces) + subject.finish(b"")

    assert decoded(coding, sent) == body


@pytest.mark.parametrize("coding", CODINGS)
def test_noise_grows_only_little(coding: str) -> None:
    noise = random.Random(1).randbytes(100_000)
    sent = encoder(coding.encode(), LEVELS[coding][1], len(noise)).finish(noise)

    assert decoded(coding, sent) == noise
    assert len(sent) < 100_500


@pytest.mark.parametrize("coding", CODINGS)
def test_a_slow_level_never_holds_up_the_loop(coding: str) -> None:
    first, usual, last = LEVELS[coding]

    assert inline_bytes(coding.encode(), usual) == inline_bytes(coding.encode(), first) > 0
    assert inline_bytes(coding.encode(), last) == 0
