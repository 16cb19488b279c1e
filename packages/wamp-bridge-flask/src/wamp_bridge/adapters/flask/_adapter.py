"""`WampBridge`: an app's handlers, and the blueprint through which the bridge reaches them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import flask
from werkzeug.exceptions import HTTPException, LengthRequired, RequestEntityTooLarge

from wamp_bridge import core

if TYPE_CHECKING:
    from flask.sansio.blueprints import BlueprintSetupState

EXTENSION: Final = "wamp_bridge"
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class WampBridge(core.WampBridgeBase):
    """WAMP in a Flask app, or in all apps that a factory makes.

    ::

        bridge = WampBridge()

        @bridge.rpc()
        def price(product): ...

        def create_app():
            app = Flask(__name__)
            app.register_blueprint(bridge.dispatcher, url_prefix="/wamp")
            return app

    Settings come from `app.config`, then from the environment. `call`, `publish` and the rest use
    those of the current app; outside an app context, those of the only app there is.

    Handlers run in the request's context, like views: `current_app`, `g` and what hangs on them
    work. Asynchronous ones get an event loop of their own for the time they run.

    Args:
        app: Set up at once, as by `init_app`.

    Attributes:
        dispatcher: The blueprint to mount where `WAMP_BRIDGE_CALLBACK_URL` leads.
    """

    def __init__(self, app: flask.Flask | None = None) -> None:
        super().__init__()
        self.dispatcher = flask.Blueprint(EXTENSION, __name__)
        # "//" in a name is no mistake, and the methods that aren't served are core's to refuse.
        for rule in ("/", "/<path:path>"):
            self.dispatcher.add_url_rule(
                rule,
                "dispatch",
                self._dispatch,
                methods=_METHODS,
                merge_slashes=False,
                provide_automatic_options=False,
            )
        self.dispatcher.record(self._registered)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Set up an app, before or in place of mounting the `dispatcher` there.

        Raises:
            ConfigurationError: Another `WampBridge` is set up there.
        """
        if self._mount_of(app) is None:
            if EXTENSION in app.extensions:
                raise core.ConfigurationError(
                    f"{app!r} has another WampBridge; an app can have one"
                )
            app.extensions[EXTENSION] = self.add_mount(app.config, os.environ)

    def wamp_error(self, error: Exception) -> core.BridgeError | None:
        """An `HTTPException`, as of `abort`, as the WAMP error of its status."""
        if isinstance(error, HTTPException) and error.code is not None:
            return core.error_of_status(error.code, error.description)
        return None

    def current_mount(self) -> core.Mount | None:
        """The mount of Flask's current app."""
        return self._mount_of(flask.current_app) if flask.has_app_context() else None

    def _mount_of(self, app: flask.Flask) -> core.Mount | None:
        mount = app.extensions.get(EXTENSION)
        return mount if isinstance(mount, core.Mount) and mount.registry is self.registry else None

    def _registered(self, state: BlueprintSetupState) -> None:
        app = state.app
        assert isinstance(app, flask.Flask)  # noqa: S101 - the only kind there is
        self.init_app(app)
        app.extensions[EXTENSION].announcer.prepare()

    def _dispatch(self, path: str = "") -> flask.Response:
        return to_flask_response(self.handle(to_core_request(path, self.core_dispatcher.max_body)))


def to_core_request(path: str, max_body: int) -> core.Request:
    """Flask's current request, as core knows them.

    Args:
        path: Below the place where the dispatcher is mounted.
        max_body: Octets; at most one more is read, by which core sees that there are too many.

    Raises:
        RequestEntityTooLarge: The request says that there are more.
        LengthRequired: It doesn't say, and this Flask can't limit it.
    """
    request = flask.request
    if (request.content_length or 0) > max_body:
        raise RequestEntityTooLarge
    try:
        request.max_content_length = max_body + 1
    except AttributeError:  # before Flask 3.1 only an app has such a limit, not a request
        if "Transfer-Encoding" in request.headers:
            raise LengthRequired from None
    return core.Request(request.method, path, dict(request.headers), request.get_data())


def to_flask_response(response: core.Response) -> flask.Response:
    """Core's response, as Flask knows them."""
    lines = response.lines
    body = response.body if lines is None else flask.stream_with_context(lines)
    return flask.make_response(body, response.status, dict(response.headers))
