"""One attempt of a delivery: what is sent, and what is made of the answer."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from wamp_bridge_server.callbacks.schedule import asked_wait
from wamp_bridge_server.callbacks.sender import SendError

if TYPE_CHECKING:
    from wamp_bridge_server.callbacks.recipients import Recipient
    from wamp_bridge_server.callbacks.sender import Sender
    from wamp_bridge_server.store import DeliveryRecord

ANSWER_BYTES = 1024
"""How much of an answer is kept with a failed attempt."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Why an attempt failed, and what the app said to it.

    `asked` is the wait that it asks for, in seconds; `gone` whether it wants no more of this.
    """

    error: str
    status: int | None = None
    answer: bytes | None = None
    asked: float = 0.0
    gone: bool = False


async def attempt(
    sender: Sender, recipient: Recipient, record: DeliveryRecord, *, within: float, now: float
) -> Failed | None:
    """Send a delivery; why that failed, None where it arrived.

    Args:
        sender: Who posts.
        recipient: To whom.
        record: What.
        within: Seconds for all of it.
        now: Unix seconds.
    """
    try:
        answer = await sender.post(
            recipient.app,
            recipient.url,
            record.body,
            message=record.id,
            attempt=record.attempts + 1,
            within=within,
        )
    except SendError as error:
        return Failed(str(error))
    if answer.accepted:
        return None
    return Failed(
        f"status {answer.status}",
        answer.status,
        answer.body[:ANSWER_BYTES],
        asked_wait(answer.retry_after, now),
        gone=answer.status == HTTPStatus.GONE,
    )
