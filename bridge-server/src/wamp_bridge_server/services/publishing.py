"""Publications that apps make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wamp_bridge_server.backends.base import Unavailable, Undeliverable, WampError
from wamp_bridge_server.errors import OPTION_NOT_ALLOWED, CallFailed, Unprocessable
from wamp_bridge_server.errors import Unavailable as UnavailableProblem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wamp_bridge_server.backends.base import Backend, PublishOptions
    from wamp_bridge_server.services.apps import App


class Publishing:
    """Publishes for apps, each in its app's own session."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def publish(
        self,
        app: App,
        topic: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: PublishOptions,
    ) -> int | None:
        """Publish an event.

        Returns:
            The publication's id, None where no acknowledgement was asked for.

        Raises:
            Forbidden: Not allowed to this app.
            Unprocessable: A value that WAMP can't carry, an option that the router lacks.
            CallFailed: What the router answered.
            Unavailable: There is no router, or it takes no more now.
        """
        app.permissions.check("publish", topic)
        session = self._backend.session(app.name)
        try:
            return await session.publish(topic, args, kwargs, options)
        except WampError as error:
            if error.uri == OPTION_NOT_ALLOWED:
                reason = " ".join(str(argument) for argument in error.wamp_args)
                raise Unprocessable(f"The event can't be published so: {reason}") from error
            raise CallFailed(error.uri, error.wamp_args, error.wamp_kwargs) from error
        except Unavailable as error:
            raise UnavailableProblem(f"The event could not be published: {error}.") from error
        except Undeliverable as error:
            raise Unprocessable(f"The event can't be carried by WAMP: {error}.") from error
