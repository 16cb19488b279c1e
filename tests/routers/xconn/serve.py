"""xconn's router at a port of the loopback interface: `serve.py PORT`."""

import asyncio
import sys

from xconn.router import Router
from xconn.server import Server


async def serve(port: int) -> None:
    """Serve one realm until the process is ended."""
    router = Router()
    router.add_realm("realm1")
    await Server(router).start("127.0.0.1", port)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
