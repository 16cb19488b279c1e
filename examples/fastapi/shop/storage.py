"""The shop's database: a SQLite file that all worker processes share."""

import os
import sqlite3
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel

SCHEMA = """
CREATE TABLE IF NOT EXISTS product (name TEXT PRIMARY KEY, price REAL, stock INTEGER);
INSERT OR IGNORE INTO product VALUES ('kettle', 23, 4), ('teapot', 30, 6), ('tea', 4, 50);
"""


class Product(BaseModel):
    """One thing that the shop sells."""

    name: str
    price: float
    stock: int


class Storage:
    """All that is sold. Its methods wait for the disk, so they are for threads."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def products(self) -> list[Product]:
        """All of them."""
        rows = self._connection.execute("SELECT * FROM product ORDER BY name")
        return [Product(name=name, price=price, stock=stock) for name, price, stock in rows]

    def find(self, name: str) -> Product | None:
        """The product of that name."""
        return next((found for found in self.products() if found.name == name), None)

    def set_price(self, name: str, price: float) -> None:
        """Sell it for so much from now on."""
        self._connection.execute("UPDATE product SET price = ? WHERE name = ?", [price, name])

    def add(self, name: str, quantity: int) -> None:
        """So many more are there."""
        statement = "UPDATE product SET stock = stock + ? WHERE name = ?"
        self._connection.execute(statement, [quantity, name])

    def take(self, name: str, quantity: int) -> bool:
        """Take so many from the stock, if that many are there."""
        statement = "UPDATE product SET stock = stock - ? WHERE name = ? AND stock >= ?"
        return self._connection.execute(statement, [quantity, name, quantity]).rowcount == 1


def connect() -> sqlite3.Connection:
    """Open the file that `SHOP_DATABASE` names; a request's steps run in several threads."""
    file = os.environ.get("SHOP_DATABASE", "shop.db")
    return sqlite3.connect(file, isolation_level=None, check_same_thread=False)


def create() -> None:
    """Make the table, unless it is there."""
    connection = connect()
    connection.executescript(SCHEMA)
    connection.close()


def storage() -> Iterator[Storage]:
    """The storage of this request, or of this handler."""
    connection = connect()
    try:
        yield Storage(connection)
    finally:
        connection.close()


Stored = Annotated[Storage, Depends(storage)]
