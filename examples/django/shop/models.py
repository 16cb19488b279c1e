"""What the shop keeps."""

from typing import Any

from django.db import models


class Product(models.Model):
    """One thing that the shop sells."""

    name: Any = models.CharField(max_length=40, unique=True)
    price: Any = models.FloatField()
    stock: Any = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.name} at {self.price:.2f}"
