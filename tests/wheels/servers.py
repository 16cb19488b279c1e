"""The servers that an example may run under, besides the one in `examples.demo.shops`."""

from __future__ import annotations

from typing import Final

_GUNICORN: Final = "-m gunicorn --bind 127.0.0.1:{port} --no-control-socket --workers 2"
_PASTE: Final = f"{_GUNICORN} --paste shop.ini --paste-global port={{port}}"
_WAITRESS: Final = "-m waitress --listen 127.0.0.1:{port}"

# What Python is given. Those with a reloader are told by their names.
SERVERS: Final = {
    "flask": {
        "gunicorn, threads": f"{_GUNICORN} --threads 4 shop:app",
        "gunicorn, preloaded": f"{_GUNICORN} --preload shop:app",
        "waitress": f"{_WAITRESS} shop:app",
        "flask run": "-m flask --app shop run --port {port}",
        "flask run, reloader": "-m flask --app shop run --debug --port {port}",
    },
    "django": {
        "gunicorn, threads": f"{_GUNICORN} --threads 4 mysite.wsgi",
        "waitress": f"{_WAITRESS} mysite.wsgi:application",
        "uvicorn, workers": "-m uvicorn --workers 2 --port {port} mysite.asgi:application",
        "uvicorn, reloader": "-m uvicorn --reload --port {port} mysite.asgi:application",
        "runserver, reloader": "manage.py runserver 127.0.0.1:{port}",
    },
    "fastapi": {
        "gunicorn, workers of uvicorn": (
            f"{_GUNICORN} --worker-class uvicorn_worker.UvicornWorker shop:app"
        ),
        "uvicorn, reloader": "-m uvicorn --reload --port {port} shop:app",
    },
    "pyramid": {
        "gunicorn": _PASTE,
        "gunicorn, threads": f"{_PASTE} --threads 4",
        "pserve, reloader": "-m pyramid.scripts.pserve --reload shop.ini port={port}",
    },
}

# The file of an example that a reloader is to see changed, and the handler that it gets.
CHANGED: Final = {
    "flask": "shop/views.py",
    "django": "shop/wamp.py",
    "fastapi": "shop/handlers.py",
    "pyramid": "shop/handlers.py",
}


def added(shop: str, number: int) -> str:
    """What a handler is in an example, called `addedNUMBER`."""
    decorator = "wamp.rpc" if shop == "fastapi" else "rpc"
    return f"\n\n@{decorator}()\ndef added{number}():\n    return {number}\n"
