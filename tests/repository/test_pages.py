"""The documentation is true: its links lead somewhere, and its pages can be followed."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest

from repository.lot import ROOT, show
from repository.pages import PAGES, anchors, blocks, links
from repository.player import PORTS, Player, free_ports

if TYPE_CHECKING:
    from pathlib import Path

    from support.router import CrossbarRouter

PLAYED = [page for page in PAGES if page.parent.name == "docs"]
TUTORIAL = ROOT / "docs" / "tutorial.md"


def can_be_played(page: Path) -> bool:
    return any(block.language == "bash" and not block.installs for block in blocks(page))


def test_the_tutorial_can_be_followed_word_for_word(tmp_path: Path) -> None:
    with Player(tmp_path, free_ports(PORTS)) as player:
        player.play(TUTORIAL)


@pytest.mark.parametrize(
    "page", [page for page in PLAYED if page != TUTORIAL and can_be_played(page)], ids=show
)
def test_a_page_can_be_followed_word_for_word(
    page: Path, tmp_path: Path, router: CrossbarRouter
) -> None:
    """With a router that runs: `wamp-bridge dev` has started one for the tutorial."""
    ports = {**free_ports(PORTS), "8080": router.port}
    with Player(tmp_path, ports, router=router.websocket_url) as player:
        player.play(page)


@pytest.mark.parametrize("page", PAGES, ids=show)
def test_every_python_block_is_a_file_of_a_page_that_is_followed(page: Path) -> None:
    """No code stands outside what is executed; READMEs show what such a page has, see below."""
    stray = [
        f"line {block.line}"
        for block in blocks(page)
        if block.language in ("python", "sh", "console") and page in PLAYED
        if block.language != "python" or "." not in block.caption
    ]
    stray += [
        f"line {block.line}"
        for block in blocks(page)
        if block.language == "python" and page not in PLAYED
    ]
    assert page.name == "README.md" or not stray


def test_the_readmes_python_is_the_tutorials() -> None:
    known = "\n".join(
        block.text for page in PLAYED for block in blocks(page) if block.language == "python"
    )
    for page in PAGES:
        if page.name == "README.md":
            for block in blocks(page):
                if block.language == "python":
                    assert block.text in known, f"{show(page)}, line {block.line}"


@pytest.mark.parametrize("page", PAGES, ids=show)
def test_json_and_toml_blocks_can_be_read(page: Path) -> None:
    for block in blocks(page):
        if block.language == "json":
            json.loads(block.text)
        elif block.language == "toml":
            tomllib.loads(block.text)


@pytest.mark.parametrize("page", PAGES, ids=show)
def test_every_link_leads_to_a_page_and_a_heading_that_exist(page: Path) -> None:
    broken = []
    for link in links(page):
        if link.startswith(("https://", "http://")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        there = target.is_relative_to(ROOT) and target.exists()
        if not there or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken
