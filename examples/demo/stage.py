"""Who says what: shown on the screen, and remembered."""

from __future__ import annotations

import asyncio
import os
import sys

SCENE_SECONDS = 15.0

_COLOURS = {"client": 36, "browser": 35, "shop": 33, "supplier": 34}


class DemoError(Exception):
    """What was expected didn't come."""


class Stage:
    """Shows who says what, and remembers it."""

    def __init__(self) -> None:
        self._said: list[tuple[str, str]] = []
        self._news = asyncio.Condition()
        self._coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    async def say(self, who: str, text: str) -> None:
        """One line of the conversation."""
        print(f"    {self.paint(f'{who:>8}', _COLOURS[who])} │ {text}", flush=True)
        async with self._news:
            self._said.append((who, text))
            self._news.notify_all()

    async def hear(self, who: str, text: str, since: int) -> None:
        """Wait until somebody has said something like that."""

        def heard() -> bool:
            return any(name == who and text in said for name, said in self._said[since:])

        try:
            async with asyncio.timeout(SCENE_SECONDS), self._news:
                await self._news.wait_for(heard)
        except TimeoutError:
            raise DemoError(f"the {who} should have said: ... {text} ...") from None

    @property
    def length(self) -> int:
        """How much was said."""
        return len(self._said)

    def paint(self, text: str, colour: int) -> str:
        """The text in a colour (an ANSI code), where colours can be shown."""
        return f"\033[{colour}m{text}\033[0m" if self._coloured else text
