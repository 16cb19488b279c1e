"""Who asks (protocol, section 1): a token, or a signature on the request.

What is there and wrong is refused, whatever else is there. All refusals say the same.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from multidict import istr

from wamp_bridge_server.errors import Malformed, Unauthenticated
from wamp_bridge_server.http.asking import Asking, form_of, is_compressed, read
from wamp_bridge_server.http.authorities import Authorities
from wamp_bridge_server.http.forms import JSON
from wamp_bridge_server.http.remotes import Remotes
from wamp_bridge_server.http.signatures import BadSignature, Parts, Signed, claimed, verify
from wamp_bridge_server.services.throttle import Failures, Rates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from wamp_bridge_server.http.admission import Request
    from wamp_bridge_server.services.apps import App, Apps
    from wamp_bridge_server.store import Store

NOBODY = ""

_AUTHORIZATION = istr("Authorization")
_HOST = istr("Host")
_SIGNATURE = istr("Signature")
_SIGNATURE_INPUT = istr("Signature-Input")
_OF_BODY = {"content-digest": istr("Content-Digest"), "content-type": istr("Content-Type")}


class Authentication:
    """Finds the app that asks, and sees to it that nobody asks too often.

    `authorities` are those that signatures may be made for, `remotes` tells who fails; set when
    they are known.
    """

    def __init__(self, apps: Apps, store: Store) -> None:
        self.apps = apps
        self.authorities = Authorities()
        self.remotes = Remotes()
        self.failures = Failures()
        self._store = store
        self._rates = Rates()

    async def asking(self, request: web.Request, place: Request) -> Asking:
        """Find out who asks, by signature, header or else body, and read the body.

        Raises:
            Unauthenticated: Nobody that the bridge knows.
            Malformed: The body is where the token would be, and no JSON.
            TooLarge: The body is over the limit.
            TooLate: The body did not come in time.
            TooFast: The app asks too often, or its address failed too often.
            Unavailable: The bridge has as much to do as it takes.
            StoreError: The nonce of a signature can't be spent now.
        """
        signed = self.claimed(request)
        app = self.by_header(request) if signed is None else None
        if signed is None and app is None and is_compressed(request):
            raise Unauthenticated  # a token in there can't be read
        if app is not None:
            place.admit(app.name)
        text = await read(request, place)
        if signed is not None:
            app = await self.by_signature(request, signed, text)
        if app is None:
            app = self._by_body(request, text)
        return self.admit(Asking(request, app, text), place)

    def admit(self, ask: Asking, place: Request) -> Asking:
        """Let an app in whose request is proven. Raises `TooFast` and `Unavailable`."""
        self.let_in(ask.app, place)
        return ask

    def let_in(self, app: App, place: Request) -> None:
        """Let an app in whose request is proven. Raises `TooFast` and `Unavailable`."""
        if place.app is None:
            place.admit(app.name)
        self._rates.take(app.name, app.rate)

    def claimed(self, request: web.Request) -> Signed | None:
        """The signature of a request that is to be verified, None where there is none.

        Raises:
            Unauthenticated: It can't be one.
            TooFast: Its key failed too often.
        """
        headers = request.headers
        if _SIGNATURE_INPUT not in headers and _SIGNATURE not in headers:
            return None
        try:
            signed = claimed(
                headers.getall(_SIGNATURE_INPUT, ()), headers.getall(_SIGNATURE, ()), time.time()
            )
        except BadSignature:
            raise self.refusal(request, NOBODY) from None
        if signed is not None:
            self.failures.check(self.remotes.of(request), self._key(signed))
        return signed

    async def by_signature(self, request: web.Request, signed: Signed, text: bytes) -> App:
        """The app that signed a request; its nonce is spent then, and not before.

        Raises:
            Unauthenticated: The signature is wrong, or was taken before.
            StoreError: The nonce can't be spent now.
        """
        app = self.apps.by_name.get(signed.app)
        headers = request.headers
        parts = Parts(
            request.method,
            request.raw_path,
            self.authorities.of(headers.getall(_HOST, ())),
            {name: headers.getall(header, ()) for name, header in _OF_BODY.items()},
            text,
        )
        try:
            verify(signed, parts, app.live_keys(time.time()) if app is not None else ())
        except BadSignature:
            app = None
        if app is None:
            raise self.refusal(request, self._key(signed))
        await self.spend(request, app, [signed.nonce], signed.expires_at, key=app.name)
        return app

    async def spend(
        self,
        request: web.Request,
        app: App,
        nonces: Sequence[str],
        expires_at: float,
        *,
        key: str,
    ) -> None:
        """Spend the nonces of a request that is verified, in one commit.

        Raises:
            Unauthenticated: One of them was spent before.
            StoreError: They can't be spent now.
        """
        spending = [self._store.spend_nonce(app.name, nonce, expires_at) for nonce in nonces]
        if not all(await asyncio.gather(*spending)):
            raise self.refusal(request, key)

    def by_header(self, request: web.Request) -> App | None:
        """The app whose token the header has, None where there is no such header.

        Raises:
            Unauthenticated: It is nobody's.
        """
        values = request.headers.getall(_AUTHORIZATION, ())
        if not values:
            return None
        scheme, _, token = values[0].partition(" ")
        app = self.apps.by_token(token.strip()) if scheme.lower() == "bearer" else None
        if app is None or len(values) > 1:
            raise self.refusal(request, NOBODY)
        return app

    def by_token(self, request: web.Request, token: str) -> App:
        """The app whose token it is. Raises `Unauthenticated`."""
        app = self.apps.by_token(token)
        if app is None:
            raise self.refusal(request, NOBODY)
        return app

    def refusal(self, request: web.Request, key: str) -> Unauthenticated:
        """The refusal of wrong credentials, which are counted. Raises `TooFast`."""
        self.failures.check(self.remotes.of(request), key)
        self.failures.count(self.remotes.of(request), key)
        return Unauthenticated()

    def _by_body(self, request: web.Request, text: bytes) -> App:
        form = form_of(request)
        try:
            token = (form or JSON).token(text)
        except Malformed:
            if form is None:
                raise Unauthenticated from None
            raise
        if token is None:
            raise Unauthenticated
        return self.by_token(request, token)

    def _key(self, signed: Signed) -> str:
        return signed.app if signed.app in self.apps.by_name else NOBODY
