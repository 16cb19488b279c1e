"""The URIs of the WAMP errors that backends raise themselves."""

from typing import Final

ALREADY_SUBSCRIBED: Final = "wamp.error.already_subscribed"
"""Not WAMP's: a session asked twice for one topic, which routers don't tell it."""

CANCELED: Final = "wamp.error.canceled"
INVALID_ARGUMENT: Final = "wamp.error.invalid_argument"
INVALID_URI: Final = "wamp.error.invalid_uri"
NO_SUCH_PROCEDURE: Final = "wamp.error.no_such_procedure"
NO_SUCH_REGISTRATION: Final = "wamp.error.no_such_registration"
NO_SUCH_SESSION: Final = "wamp.error.no_such_session"
NO_SUCH_SUBSCRIPTION: Final = "wamp.error.no_such_subscription"
NOT_AUTHORIZED: Final = "wamp.error.not_authorized"
OPTION_NOT_ALLOWED: Final = "wamp.error.option_not_allowed"
OTHER_POLICY: Final = "wamp.error.procedure_exists_with_different_invocation_policy"
PROCEDURE_EXISTS: Final = "wamp.error.procedure_already_exists"
RUNTIME_ERROR: Final = "wamp.error.runtime_error"
TIMEOUT: Final = "wamp.error.timeout"
