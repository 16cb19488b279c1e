"""Calls that apps make and wait for; `asynchronous` has those that they don't wait for."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from wamp_bridge_server.backends.base import Unavailable, Undeliverable, WampError
from wamp_bridge_server.errors import CallFailed, Unprocessable
from wamp_bridge_server.errors import Unavailable as UnavailableProblem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wamp_bridge_server.backends.base import Backend, CallOptions, Result
    from wamp_bridge_server.services.apps import App

DEFAULT_SECONDS = 30.0


class Calls:
    """Makes calls for apps, each in its app's own session."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.under_way: Counter[str] = Counter()
        """How many there are now, by procedure."""

    async def call(
        self,
        app: App,
        procedure: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        timeout: float,
        options: CallOptions | None = None,
    ) -> Result:
        """Call and wait for the result at most `timeout` seconds.

        Raises:
            Forbidden: Not allowed to this app.
            Unprocessable: A value that WAMP can't carry.
            CallFailed: What the router or the callee answered.
            Unavailable: There is no router, or it was lost meanwhile.
        """
        app.permissions.check("call", procedure)
        session = self._backend.session(app.name)
        self.under_way[procedure] += 1
        try:
            return await session.call(procedure, args, kwargs, timeout=timeout, options=options)
        except WampError as error:
            raise CallFailed(error.uri, error.wamp_args, error.wamp_kwargs) from error
        except Unavailable as error:
            raise UnavailableProblem(f"The call could not be made: {error}.") from error
        except Undeliverable as error:
            raise Unprocessable(f"The call can't be carried by WAMP: {error}.") from error
        finally:
            self.under_way[procedure] -= 1
            if not self.under_way[procedure]:
                del self.under_way[procedure]
