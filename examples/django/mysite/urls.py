"""Where all is."""

from django.urls import include, path

from wamp_bridge.adapters.django import dispatcher

urlpatterns = [
    path("wamp/", dispatcher),
    path("", include("shop.urls")),
]
