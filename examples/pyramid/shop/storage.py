"""The shop's database, a SQLite file: `request.storage`."""

import sqlite3
from dataclasses import dataclass

from pyramid.config import Configurator
from pyramid.request import Request

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


class Storage:
    """All that is sold."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def products(self) -> list[Product]:
        """All of them."""
        rows = self._connection.execute("SELECT * FROM product ORDER BY name")
        return [Product(*row) for row in rows]

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


def storage(request: Request) -> Storage:
    """The storage of this request, which is a handler's as well."""
    connection = connect(request.registry.settings["shop.database"])
    request.add_finished_callback(lambda _request: connection.close())
    return Storage(connection)


def connect(file: str) -> sqlite3.Connection:
    """Open the file."""
    return sqlite3.connect(file, isolation_level=None)


def includeme(config: Configurator) -> None:
    """Make the table, unless it is there."""
    connection = connect(config.registry.settings["shop.database"])
    connection.executescript(SCHEMA)
    connection.close()
    config.add_request_method(storage, reify=True)
