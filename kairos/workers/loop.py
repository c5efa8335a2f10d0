"""Which event loop the workers run."""

import os

from kairos.workers.errors import StartError

LOOPS = ("uvloop", "asyncio")


def loop_name() -> str:
    """Return what KAIROS_LOOP asks for, uvloop unless it says otherwise. StartError if there is no such loop."""
    name = os.environ.get("KAIROS_LOOP") or LOOPS[0]
    if name not in LOOPS:
        raise StartError(f"KAIROS_LOOP is {name!r}: set it to one of {', '.join(LOOPS)}, or leave it out")
    return name
