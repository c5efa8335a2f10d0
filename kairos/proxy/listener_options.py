"""How one listener treats its clients: what connections and their requests ask about it."""

from kairos.config.document import Settings
from kairos.config.listening import Listener, ListenerTls
from kairos.proxy.identities import Identities


class ListenerOptions:
    """The options of a listener. They are the same object as long as the worker lives; a reload changes its content."""

    __slots__ = ("identities", "proxy_protocol", "redirect", "tls")

    def __init__(self, listener: Listener, identities: Identities | None = None) -> None:
        self.identities = identities  # what it shows if it speaks TLS
        self.follow(listener)

    def follow(self, listener: Listener) -> None:
        """Be as the config says from now on."""
        self.tls: ListenerTls | None = listener.tls
        self.redirect = listener.redirect or 0  # the port of HTTPS; 0 serves requests here
        self.proxy_protocol = listener.proxy_protocol


PLAIN = ListenerOptions(Settings().listeners[0])
