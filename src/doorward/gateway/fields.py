"""The words in which heads are spoken of: header fields, and what is refused."""

from http import HTTPStatus
from typing import TypeAlias

Field: TypeAlias = tuple[bytes, bytes]
Fields: TypeAlias = tuple[Field, ...]


class Unreadable(Exception):
    """What came is no request that means one thing alone; `status` is the answer."""

    def __init__(self, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        """Refuse with `status`."""
        super().__init__(status.phrase)
        self.status = status
