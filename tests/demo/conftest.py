"""What the demo's tests share: the history, read once, and messages as the worker writes them."""

import pytest

from streams.demo.history import History
from streams.wire.message import Decision, Envelope, Outcome, Transition

AT = 1_488_300_000_000  # 28 Feb 2017 16:40 UTC


@pytest.fixture(scope="session")
def history():
    return History()


class Make:
    """Messages with everything filled in that a test does not name."""

    @staticmethod
    def transition(user="h1", move="active>dormant", *, seq=1, cause="time", at=AT, **evidence):
        from_, to = move.split(">")
        data = Transition("activity", from_, to, cause, seq, at, "activity-7-14-30", False, evidence)
        return Envelope(f"{user}-{seq}", "awaken", f"awaken.activity.{to}", user, "", data)

    @staticmethod
    def decision(ident="d1", reason="sent", channels=("inbox",)):
        action = "send" if reason == "sent" else "suppress"
        data = Decision(ident, "h1", AT, "reactivation", "h1-1", action, reason, channels, ())
        return Envelope(ident, "awaken", f"awaken.push.{action}", "h1", "", data)

    @staticmethod
    def outcome(ident="d1", channel="inbox", outcome="delivered"):
        data = Outcome(ident, "h1", AT, channel, outcome, 1)
        return Envelope(f"{ident}/{channel}", "awaken", f"awaken.push.{outcome}", "h1", "", data)


@pytest.fixture(scope="session")
def make():
    return Make
