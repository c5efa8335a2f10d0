"""TLS without a network: two ends that hand each other what they have to say."""

import ssl

from kairos.config.document import Backend
from kairos.proxy.upstream_tls import UpstreamTls

ROUNDS = 4


class Conversation:
    """A connection between a backend of ours and a server. `error` is what our end has met."""

    def __init__(self, tls: UpstreamTls, server: ssl.SSLContext) -> None:
        to_server, to_us = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.records = to_us
        self.ours = tls.wrap_bio(to_us, to_server, server_hostname=tls.server_name)
        self.theirs = server.wrap_bio(to_server, to_us, server_side=True)
        self.error: ssl.SSLError | None = None

    def shakes_hands(self) -> "Conversation":
        """Shake hands, as far as both are willing."""
        ends = [self.ours.do_handshake, self.theirs.do_handshake]
        for _ in range(ROUNDS):
            for end in tuple(ends):
                try:
                    end()
                    ends.remove(end)
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLError as error:
                    ends.remove(end)
                    if end == self.ours.do_handshake:
                        self.error = error
        return self

    def is_answered(self) -> "Conversation":
        """Let the server say something, and our end read it, with all that came before."""
        self.theirs.write(b"answer")
        assert self.ours.read() == b"answer"
        return self

    def reads(self) -> ssl.SSLError | None:
        """Read, and return what our end meets."""
        try:
            self.ours.read()
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLError as error:
            return error
        return None


def backend(**tls: object) -> Backend:
    """Return a backend that is called well.example, unless its TLS settings say otherwise."""
    from kairos.config.document import Tls

    return Backend("https", "well.example", 443, tls=Tls(**tls) if tls else None)  # type: ignore[arg-type]
