"""The shop's database: a SQLite file that all worker processes share."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from flask import Flask, current_app, g

SCHEMA = """
CREATE TABLE IF NOT EXISTS product (name TEXT PRIMARY KEY, price REAL, stock INTEGER);
INSERT OR IGNORE INTO product VALUES ('kettle', 23, 4), ('teapot', 30, 6), ('tea', 4, 50);
"""


@dataclass(frozen=True)
class Product:
    """One thing that the shop sells."""

    name: str
    price: float
    stock: int


def init_app(app: Flask) -> None:
    """Make the database where `SHOP_DATABASE` says, or in the instance folder."""
    app.config["DATABASE"] = str(Path(app.instance_path) / "shop.db")
    app.config["ROUTER"] = "ws://127.0.0.1:8080/ws"
    app.config.from_prefixed_env("SHOP")
    Path(app.config["DATABASE"]).parent.mkdir(parents=True, exist_ok=True)
    with app.app_context():
        database().executescript(SCHEMA)
    app.teardown_appcontext(close)


def database() -> sqlite3.Connection:
    """The connection of this request, or of this handler."""
    if "database" not in g:
        g.database = sqlite3.connect(current_app.config["DATABASE"], isolation_level=None)
    connection: sqlite3.Connection = g.database
    return connection


def close(_error: BaseException | None) -> None:
    """Close what `database` opened."""
    if "database" in g:
        g.pop("database").close()


def products() -> list[Product]:
    """All that is sold."""
    return [Product(*row) for row in database().execute("SELECT * FROM product ORDER BY name")]


def find_product(name: str) -> Product | None:
    """The product of that name."""
    row = database().execute("SELECT * FROM product WHERE name = ?", [name]).fetchone()
    return Product(*row) if row else None


def set_price(name: str, price: float) -> None:
    """Sell it for so much from now on."""
    database().execute("UPDATE product SET price = ? WHERE name = ?", [price, name])


def add_to_stock(name: str, quantity: int) -> None:
    """So many more are there."""
    database().execute("UPDATE product SET stock = stock + ? WHERE name = ?", [quantity, name])


def take(name: str, quantity: int) -> bool:
    """Take so many from the stock, if that many are there."""
    statement = "UPDATE product SET stock = stock - ? WHERE name = ? AND stock >= ?"
    return database().execute(statement, [quantity, name, quantity]).rowcount == 1
