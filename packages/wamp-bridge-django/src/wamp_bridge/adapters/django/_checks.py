"""What `manage.py check` and `runserver` say of the settings; each message names one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core.checks import Error, Warning
from django.http.request import split_domain_port, validate_host
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve, reverse

from wamp_bridge.adapters.django._adapter import URL_NAME
from wamp_bridge.adapters.django._default import default
from wamp_bridge.adapters.django._settings import (
    AUTHORIZE,
    GET_USER,
    USER_ROLE,
    imported,
    setting,
)
from wamp_bridge.adapters.django._users import required_by
from wamp_bridge.core import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.checks import CheckMessage

    from wamp_bridge.core import Settings
