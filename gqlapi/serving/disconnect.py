"""News of a client that has closed its connection, for the application that answers it."""

from collections.abc import Callable

# The name of the extension in the ASGI scope.
EXTENSION = "gqlapi.disconnect"


class Disconnect:
    """Whether the client of a request has disconnected; `callback` is called when it goes.

    `on_shutdown` is called when the server shuts down, for answers that would not end by themselves.

    ASGI's `receive` says the same, to a task that waits for it: a task for each request costs more than a small one.
    """

    __slots__ = ("callback", "has_happened", "on_shutdown")

    def __init__(self) -> None:
        self.has_happened = False
        self.callback: Callable[[], None] | None = None
        self.on_shutdown: Callable[[], None] | None = None

    def shut_down(self) -> None:
        """Note that the server shuts down."""
        if self.on_shutdown is not None:
            self.on_shutdown()

    def happen(self) -> None:
        """Note that the client has disconnected."""
        self.has_happened = True
        if self.callback is not None:
            self.callback()
