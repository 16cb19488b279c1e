"""The golden vectors in `conformance/`, which core and the bridge both read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parents[2] / "conformance"


def vectors(name: str) -> Any:
    """Read a file of them; `signatures` for `signatures.json`."""
    return json.loads((_FOLDER / f"{name}.json").read_text("utf-8"))
