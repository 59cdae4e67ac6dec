"""The error of a request that the plane refuses."""


class RequestRefused(Exception):
    """A request is refused. `status` is the HTTP status, the message is the error text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
