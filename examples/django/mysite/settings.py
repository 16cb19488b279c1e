"""The project's settings. Where the bridge is comes from the environment."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
PAGE = BASE_DIR.parent / "page"

DEBUG = bool(os.environ.get("DJANGO_DEBUG"))
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "good enough for an example on your own machine")
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "wamp_bridge.adapters.django",
    "shop",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "shop.middleware.BridgeFailures",
]
ROOT_URLCONF = "mysite.urls"
WSGI_APPLICATION = "mysite.wsgi.application"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [PAGE]}]
STATIC_URL = "static/"
STATICFILES_DIRS = [PAGE]
WHITENOISE_USE_FINDERS = True  # so that nothing has to be collected before it is served

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SHOP_DATABASE", BASE_DIR / "shop.db"),
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {
        "shop": {"handlers": ["console"], "level": "INFO"},
        "wamp_bridge": {"handlers": ["console"]},
    },
}

WAMP_BRIDGE_PREFIX = "com.shop"
WAMP_BRIDGE_USER_ROLE = "user"
WAMP_BRIDGE_AUTHORIZE = "shop.wamp.may"

SHOP_ROUTER = os.environ.get("SHOP_ROUTER", "ws://127.0.0.1:8080/ws")
