"""Turn the blocks of the config that say who may pass, and in which form, into what workers read of them."""

from kairos.config import policies
from kairos.config.model.security import AccessList


def access_lists(whole: AccessList | None, own: AccessList | None) -> tuple[policies.AccessList, ...]:
    """Return the lists that an address has to pass: that of the gateway, and that of the route."""
    blocks = (block for block in (whole, own) if block is not None and (block.allow or block.deny))
    return tuple(
        policies.AccessList(tuple(dict.fromkeys(block.allow)), tuple(dict.fromkeys(block.deny))) for block in blocks
    )
