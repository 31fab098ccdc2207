"""What the demo has seen so far: counts, classes, latencies. Pure: the clock's readings come as arguments."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING

from streams.demo.history import TOPICS
from streams.demo.latency import Latency, Timeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.demo.history import Topic
    from streams.wire.message import Decision, Envelope, Outcome, Transition

CLASSES = ("new", "active", "dormant", "churned", "returning")
WINDOW_SECONDS = 3.0
"""Rates are means over this long; those of the trend, over a second."""
TREND_SECONDS, TREND_POINTS = 0.5, 120
NEWEST = 24
GLANCE_SECONDS = 0.35
"""A transition stays newest at least this long, so that a reader can follow."""
MAX_REMEMBERED = 200_000


class Rate:
    """A count that grows, and how fast it grew over the last seconds."""

    def __init__(self) -> None:
        self.total = 0
        self._points: deque[tuple[float, int]] = deque()

    def add(self, count: int, now: float) -> None:
        """Add `count` at `now` (s)."""
        self.total += count
        self._points.append((now, count))
        self._forget(now)

    def per_second(self, now: float, window: float = WINDOW_SECONDS) -> float:
        """Return the mean rate over the last `window` seconds, at most WINDOW_SECONDS."""
        self._forget(now)
        return sum(count for at, count in self._points if at > now - window) / window

    def _forget(self, now: float) -> None:
        while self._points and self._points[0][0] <= now - WINDOW_SECONDS:
            self._points.popleft()


class Once:
    """Tells whether an id is seen for the first time; remembers the newest 200,000."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()

    def __call__(self, ident: str) -> bool:
        """Return True the first time."""
        if ident in self._seen:
            return False
        self._seen[ident] = None
        if len(self._seen) > MAX_REMEMBERED:
            self._seen.popitem(last=False)
        return True


class Tally:
    """Everything the view shows and the report says. `now` is a monotonic clock in seconds throughout.

    Messages that come again (the broker may be one without transactions) count once.
    """

    def __init__(self, now: float) -> None:
        self.first_at: int | None = None
        self.at: int | None = None
        self.events = {topic: Rate() for topic in TOPICS}
        self.trend: deque[float] = deque(maxlen=TREND_POINTS)
        self.timeline, self.latency = Timeline(), Latency()
        self.moves: Rate = Rate()
        self.transitions: Counter[str] = Counter()
        self.users: Counter[str] = Counter()
        self.newest: deque[tuple[str, Transition]] = deque(maxlen=NEWEST)
        self.decisions: Counter[str] = Counter()
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.dead_letters = 0
        self.received = 0
        self.waiting: dict[str, int] = {}
        self._standing: dict[tuple[str, str], tuple[int, str]] = {}
        self._decided, self._ended, self._arrived = Once(), Once(), Once()
        self._shown = self._trended = now

    @property
    def sent(self) -> int:
        """How many events were produced."""
        return sum(rate.total for rate in self.events.values())

    @property
    def delivered(self) -> int:
        """How many deliveries succeeded, over all channels."""
        return sum(count for (_, outcome), count in self.outcomes.items() if outcome == "delivered")

    def per_second(self, now: float) -> float:
        """Return the events produced per second of late."""
        return sum(rate.per_second(now) for rate in self.events.values())

    def play(self, counts: Mapping[Topic, int], until: int, now: float) -> None:
        """Note a stretch of the history, produced at `now`: events by topic, up to event time `until`."""
        self.first_at = until if self.first_at is None else self.first_at
        self.at = until
        self.timeline.add(until, now)
        for topic, count in counts.items():
            self.events[topic].add(count, now)

    def tick(self, now: float) -> None:
        """Let time pass: notes a point of the trend of events/s, twice a second."""
        if now - self._trended >= TREND_SECONDS:
            self._trended = now
            self.trend.append(sum(rate.per_second(now, 1.0) for rate in self.events.values()))

    def transition(self, message: Envelope[Transition], now: float) -> None:
        """Note a transition of the activity class; the other dimensions are not shown."""
        user, move = message.subject, message.data
        if move.dimension != "activity":
            return
        seq, before = self._standing.get((user, move.dimension), (0, ""))
        if move.seq <= seq:
            return
        self._standing[user, move.dimension] = (move.seq, move.to)
        self.users[before] -= 1
        self.users[move.to] += 1
        self.transitions[f"{move.from_}>{move.to}"] += 1
        self.moves.add(1, now)
        if move.cause == "event" and (produced := self.timeline.produced(move.at)) is not None:
            self.latency.add(max(now - produced, 0) * 1000)
        if now - self._shown >= GLANCE_SECONDS or len(self.newest) < NEWEST:
            self._shown = now
            self.newest.appendleft((user, move))

    def decision(self, message: Envelope[Decision]) -> None:
        """Note a decision; one to send waits for its deliveries' outcomes."""
        decision = message.data
        if self._decided(decision.id):
            self.decisions[decision.reason] += 1
            if decision.action == "send":
                self._await(decision.id, len(decision.channels))

    def outcome(self, message: Envelope[Outcome]) -> None:
        """Note what became of a delivery."""
        outcome = message.data
        if self._ended(f"{outcome.decision}/{outcome.channel}"):
            self.outcomes[outcome.channel, outcome.outcome] += 1
            self._await(outcome.decision, -1)

    def receive(self, key: str) -> None:
        """Note a push that our own webhook received, by its idempotency key."""
        self.received += self._arrived(key)

    def dead_letter(self) -> None:
        """Note a record that could not be read."""
        self.dead_letters += 1

    def _await(self, decision: str, deliveries: int) -> None:
        """Add to the deliveries still awaited; an outcome may be read before its decision."""
        left = self.waiting.pop(decision, 0) + deliveries
        if left:
            self.waiting[decision] = left
