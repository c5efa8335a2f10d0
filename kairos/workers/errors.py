"""Why the gateway cannot start."""

from kairos.errors import KairosError


class StartError(KairosError):
    """The gateway cannot start; the message is one line for the operator, `exit_code` what the process ends with."""

    kind = "start"

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
