"""Operations: topics, the doctor, and a real Kafka for development and tests."""

from __future__ import annotations


class NotReady(RuntimeError):
    """Something that Awaken needs is not there; the text says what, and what mends it."""

    def __init__(self, detail: str, mend: str = "") -> None:
        super().__init__(f"{detail}\n{mend}" if mend else detail)
        self.detail = detail
        self.mend = mend
