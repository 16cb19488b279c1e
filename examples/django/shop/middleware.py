"""What becomes of errors of the bridge."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse

from wamp_bridge.core import BridgeError


class BridgeFailures:
    """Tell the browser that the bridge, the router or the supplier let us down."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, _request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer for a view that failed."""
        if not isinstance(error, BridgeError):
            return None
        return JsonResponse({"error": error.uri, "detail": str(error)}, status=error.status)
