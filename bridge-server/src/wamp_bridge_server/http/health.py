"""`/health/live` and `/health/ready`."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from wamp_bridge_server.http import documents
from wamp_bridge_server.http.answers import answer
from wamp_bridge_server.http.routes import Answer, Route

if TYPE_CHECKING:
    from aiohttp import web

    from wamp_bridge_server.services.health import Health

_REPORT = {
    "status": "ready",
    "router": "joined",
    "realms": {"realm1": "joined"},
    "store": "working",
    "phase": "serving",
    "endpoints": 3,
    "cut_off": False,
    "streams": 1,
    "deliveries_waiting": 0,
    "dead_letters": 0,
    "events_refused": 0,
}


class HealthRequests:
    """Answers how the bridge is, to anybody."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def routes(self) -> list[Route]:
        """The requests that are answered here."""
        away = {
            **_REPORT,
            "status": "not ready",
            "router": "away",
            "realms": {"realm1": "away"},
        }
        return [
            Route(
                name="live",
                method="GET",
                path="/health/live",
                handler=self.live,
                summary="Whether the process serves",
                answers=(Answer("It does.", documents.Live, {"status": "live"}),),
                access="anybody",
            ),
            Route(
                name="ready",
                method="GET",
                path="/health/ready",
                handler=self.ready,
                summary="Whether requests will be answered",
                answers=(
                    Answer("They will.", documents.Report, _REPORT),
                    Answer(
                        "They won't.",
                        documents.Report,
                        away,
                        HTTPStatus.SERVICE_UNAVAILABLE,
                    ),
                ),
                access="anybody",
            ),
        ]

    async def live(self, _request: web.Request) -> web.Response:
        """`GET /health/live`."""
        return answer({"status": "live"})

    async def ready(self, _request: web.Request) -> web.Response:
        """`GET /health/ready`."""
        report = self._health.report()
        status = HTTPStatus.OK if report["status"] == "ready" else HTTPStatus.SERVICE_UNAVAILABLE
        return answer(report, status)
