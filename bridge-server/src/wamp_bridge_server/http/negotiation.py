"""What an answer is to be written in (RFC 9110, section 12.5.1)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from wamp_bridge_server.http.forms import BY_MEDIA_TYPE, JSON

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wamp_bridge_server.http.forms import Form

_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_DEFAULT: Final = (JSON, JSON.media_types[0])


def wanted(lines: Sequence[str]) -> tuple[Form, str]:
    """The form that a request's `Accept` prefers, and the media type's name as it was asked for.

    JSON where nothing is said, and where nothing is accepted that there is: the standard leaves
    that to the server. Of equals the one that is named counts more than one that a range covers,
    and then JSON.
    """
    return _wanted(",".join(lines)) if lines else _DEFAULT


@lru_cache(maxsize=64)
def weights(field: str) -> Mapping[str, float]:
    """How much each media range of an `Accept` is wanted; 0 where that can't be read."""
    return dict(_range(member) for member in field.lower().split(","))


@lru_cache(maxsize=64)
def _wanted(field: str) -> tuple[Form, str]:
    ranges = weights(field)

    def rank(name: str) -> tuple[float, int]:
        for exactness, covering in ((2, name), (1, "application/*"), (0, "*/*")):
            if covering in ranges:
                return ranges[covering], exactness
        return 0.0, 0

    best = max(BY_MEDIA_TYPE, key=rank)  # the first of equals
    return (BY_MEDIA_TYPE[best], best) if rank(best)[0] > 0 else _DEFAULT


def _range(member: str) -> tuple[str, float]:
    """A media range and its weight."""
    name, *parameters = (part.strip(" \t") for part in member.split(";"))
    weight = next((each[2:] for each in parameters if each.startswith("q=")), "1")
    return name, float(weight) if _WEIGHT.fullmatch(weight) else 0.0
