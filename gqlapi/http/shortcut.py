"""The short way to the GraphQL endpoint."""

from starlette.types import ASGIApp, Receive, Scope, Send


class Shortcut:
    """Passes the requests of one path on to their endpoint, and all others to the application.

    Routing takes a tenth of a small request. The endpoint has a route as well: other paths are found from it. Below
    `/documents/` each document has a path, which never shows a page.
    """

    def __init__(self, app: ASGIApp, path: str, endpoint: ASGIApp, documents: ASGIApp, sockets: ASGIApp) -> None:
        """Wrap an application; `documents` answers below the path, `sockets` has the WebSockets at the path."""
        self._app = app
        self._path = path
        self._endpoint = endpoint
        self._documents_path = path + "/documents/"
        self._documents = documents
        self._sockets = sockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        app = self._app
        if scope["type"] == "http":
            path = scope["path"].removeprefix(scope.get("root_path", ""))
            if path == self._path:
                app = self._endpoint
            elif path.startswith(self._documents_path):
                scope["state"]["document_id"] = path.removeprefix(self._documents_path)
                app = self._documents
        elif scope["type"] == "websocket" and scope["path"].removeprefix(scope.get("root_path", "")) == self._path:
            app = self._sockets
        await app(scope, receive, send)
