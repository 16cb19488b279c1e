"""Where the shop's views are."""

from django.urls import path
from django.views.generic import TemplateView

from . import views

urlpatterns = [
    path("", TemplateView.as_view(template_name="index.html")),
    path("state", views.state),
    path("orders", views.order),
    path("quotes/<product>", views.quote),
    path("deliveries", views.deliver),
    path("login", views.log_in),
    path("logout", views.log_out),
    path("ticket", views.ticket),
]
