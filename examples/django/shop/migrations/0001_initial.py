"""The products, and the first of them."""

from typing import Any

from django.db import migrations, models

PRODUCTS = (("kettle", 23, 4), ("teapot", 30, 6), ("tea", 4, 50))


def stock_up(apps: Any, _schema_editor: object) -> None:
    """Sell something from the start."""
    product = apps.get_model("shop", "Product")
    for name, price, stock in PRODUCTS:
        product.objects.create(name=name, price=price, stock=stock)


class Migration(migrations.Migration):
    """The first."""

    initial = True
    operations = (
        migrations.CreateModel(
            name="Product",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=40, unique=True)),
                ("price", models.FloatField()),
                ("stock", models.IntegerField()),
            ],
        ),
        migrations.RunPython(stock_up, migrations.RunPython.noop),
    )
