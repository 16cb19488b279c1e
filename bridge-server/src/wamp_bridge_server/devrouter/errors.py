"""The one error of this package."""


class RouterError(Exception):
    """The router's environment can't be made, or the router doesn't start. Says why, for a person.

    `log` is the end of what the failing program wrote.
    """

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log

    def __str__(self) -> str:
        message = str(self.args[0])
        return f"{message}\n{self.log}" if self.log else message
