"""A small shop: an ordinary FastAPI app that takes part in WAMP.

What it offers to browsers is in paths.py, what it offers to WAMP in handlers.py. Where the bridge
is and who the app is comes from the environment, as `wamp-bridge dev` prints it.
"""

import logging
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from wamp_bridge.core import BridgeError

from . import handlers, paths, storage
from .bus import wamp

__all__ = ["app", "handlers"]

PAGE = Path(__file__).resolve().parents[2] / "page"

logging.basicConfig(format="%(message)s")
logging.getLogger("shop").setLevel(logging.INFO)
storage.create()

app = FastAPI()
app.include_router(paths.router)
app.include_router(wamp.dispatcher, prefix="/wamp")
app.mount("/static", StaticFiles(directory=PAGE))


@app.exception_handler(BridgeError)
def bridge_failed(_request: Request, error: BridgeError) -> JSONResponse:
    """The bridge, the router or the supplier let us down."""
    return JSONResponse({"error": error.uri, "detail": str(error)}, error.status)
