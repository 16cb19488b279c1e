"""`manage.py add_people`: two users to try, of whom one may set prices."""

from typing import Any

from django.contrib.auth.models import Permission, User
from django.core.management.base import BaseCommand

PEOPLE = {"ann": "wonderland", "bob": "builder"}


class Command(BaseCommand):
    """Add ann, who may set prices, and bob, who may not."""

    help = "Adds ann (wonderland), who may set prices, and bob (builder), who may not."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Add those who are missing."""
        for name, password in PEOPLE.items():
            if not User.objects.filter(username=name).exists():
                User.objects.create_user(name, password=password)
        may_set_prices = Permission.objects.get(codename="change_product")
        User.objects.get(username="ann").user_permissions.add(may_set_prices)
