"""A Django project is announced by whatever serves it, and works there; with the real bridge."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from support.django_servers import SERVERS, ServedProject, append, start_project, start_shop
from support.holding import is_held
from support.plain_server import Asked, Reply, plain_server
from support.processes import Child
from support.waiting import eventually_sync

if TYPE_CHECKING:
    from wamp_bridge.core import Bridge

PROCEDURES = [f"com.shop.{name}" for name in ("add", "models", "threads", "worker")]

# The article's own, with its slips mended: `patterns` and its first argument are gone from Django,
# a path begins with no slash, functions need a body.
ARTICLE_SETTINGS = """
WAMP_BRIDGE_URL = "{url}"
"""
ARTICLE_URLS = """
from mysite import views
from wamp_bridge.adapters.django import dispatcher

urlpatterns += (
    path('wamp/', dispatcher),
    path('vue/', views.vue_normale),
)
"""
ARTICLE_VIEWS = """
from django.http import HttpResponse

from wamp_bridge.adapters.django import publish, call, rpc, sub

seen = []

@rpc()
def nom_fonction_1(val1, val2):
    return [val1, val2, seen]

@sub()
def nom_topic_1(val1, val2):
    seen.append([val1, val2])

def vue_normale(request):
    publish('sujet', ['arg1'])
    resultat = call('function', ['arg1'])
    return HttpResponse(resultat)
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a project with its database, to be copied."""
    folder = tmp_path_factory.mktemp("project")
    start_shop(folder)
    with Child(sys.executable, "manage.py", "migrate", folder=folder) as child:
        assert child.wait() == 0, child.output
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """Return the folder of a project for one test."""
    return Path(shutil.copytree(original, tmp_path / "project"))


@pytest.mark.parametrize("server", SERVERS)
def test_a_project_is_announced_and_served(
    server: str, bridge_url: str, peer: Bridge, shop: Bridge, folder: Path
) -> None:
    with ServedProject(server, bridge=bridge_url, folder=folder) as project:
        eventually_sync(lambda: is_held(shop, project.child), within=30)
        assert sorted(entry.uri for entry in shop.registrations()) == PROCEDURES
        assert [entry.uri for entry in shop.subscriptions()] == ["com.shop.told"]
        assert [source.url for source in shop.sources()] == [project.source]
        assert peer.call("com.shop.add", [2, 3]) == 5
        assert "user" in peer.call("com.shop.models")
        peer.publish("com.shop.told", ["hello"])
        eventually_sync(project.events)
        eventually_sync(
            lambda: not [name for name in peer.call("com.shop.threads") if "wamp" in name]
        )
        assert project.events() == ["hello"]
    assert "Traceback" not in project.child.output


def test_the_reloader_announces_again_after_a_reload(
    bridge_url: str, peer: Bridge, shop: Bridge, folder: Path
) -> None:
    with ServedProject("runserver-with-reloader", bridge=bridge_url, folder=folder) as project:
        eventually_sync(lambda: is_held(shop), within=30)
        first = peer.call("com.shop.worker")
        append(folder / "shop" / "wamp.py", "\nrpc('more')(lambda: 'more')\n")
        eventually_sync(
            lambda: "com.shop.more" in [entry.uri for entry in shop.registrations()], within=30
        )
        eventually_sync(lambda: is_held(shop))
        assert peer.call("com.shop.more") == "more"
        assert peer.call("com.shop.worker") != first
        assert len(shop.sources()) == 1
        assert project.child.output.count("announced http") == 2


@pytest.mark.parametrize("server", ["runserver", "gunicorn-4-workers", "waitress", "uvicorn"])
def test_the_article_s_lines_work_in_a_fresh_project(
    server: str, bridge_url: str, peer: Bridge, shop: Bridge, tmp_path: Path
) -> None:
    settings = start_project(tmp_path)
    append(settings, ARTICLE_SETTINGS.format(url=bridge_url))
    append(tmp_path / "mysite" / "urls.py", ARTICLE_URLS)
    (tmp_path / "mysite" / "views.py").write_text(ARTICLE_VIEWS)

    def answer(asked: Asked) -> Reply:
        return Reply(200, ["resultat", *asked.document["args"]])

    with (
        plain_server(answer) as other,
        ServedProject(server, bridge=bridge_url, folder=tmp_path, prefix=None) as project,
    ):
        peer.register({"function": f"{other.url}f/"})
        peer.subscribe({"sujet": f"{other.url}s/"})
        eventually_sync(lambda: view(project) == "resultatarg1", within=30)
        eventually_sync(lambda: "/s/" in other.paths)
        assert other.asked[-1].document["args"] == ["arg1"]
        # outside of INSTALLED_APPS a request is what shows that it is served, where no check does
        eventually_sync(lambda: view(project) and is_held(shop), within=30)
        peer.publish("nom_topic_1", [3, 4])
        eventually_sync(lambda: [[3, 4]] in peer.call("nom_fonction_1", [1, 2]))
    peer.unregister(["function"])
    peer.unsubscribe(["sujet"])
    assert "Traceback" not in project.child.output


def view(project: ServedProject) -> str:
    try:
        return httpx.get(f"{project.url}vue/", timeout=20).text
    except httpx.TransportError:
        return ""
