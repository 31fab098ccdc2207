"""What a push must know of users, asked of the partition that holds them: how they stand with us, and their words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np

from streams import consent
from streams.core.row import DAY
from streams.core.window import count_bits
from streams.people import NONE, People
from streams.push.breaker import approved
from streams.push.phase import phase_of
from streams.push.policy import Standing
from streams.push.trigger import Candidate
from streams.shard import Shard
from streams.template import VALUE
from streams.threshold import ATTRIBUTES, CONTACTS, TIME_ZONE
from streams.wire.event import Profile
from streams.wire.message import Decision, seq_of
from streams.worker.partition import Partition

SAMPLE = 4096
"""Users whose hours stand for everybody's."""


class Asked(NamedTuple):
    """What a playbook asks of how its users stand.

    `dimension` and `value` are where a transition brings them; empty where it was a day that has come, or a reward:
    neither goes away.
    """

    dimension: str = ""
    value: str = ""
    rhythm: bool = False
    phase: str = "growth"


class Users:
    """A partition's users, as the pushes of one batch ask about them; each is looked up once.

    Those who are named at once are looked up together, the others one by one. What is told is what was known when they
    were looked up.
    """

    def __init__(self, partition: Partition, names: Sequence[str] = ()) -> None:
        self._partition = partition
        self._everybody: Sequence[int] = ()
        self._phase = ""
        self._asked: dict[str, Asked] = {}
        self._known: dict[str, Words] = {}
        self._look_up(dict.fromkeys(names))

    def profile(self, user: str) -> Profile | None:
        """Return his profile."""
        return self.words(user).profile

    def words(self, user: str) -> Words:
        """Return what is known of a user by name."""
        if user not in self._known:
            self._look_up([user])
        return self._known[user]

    def _look_up(self, names: Collection[str]) -> None:
        shard, now = self._partition.shard, self._partition.time_now()
        people = People(shard, [name.encode() for name in names])
        for place, name in enumerate(names):
            self._known[name] = Words(shard, people, place, now)

    def approved(self, playbook: str) -> bool:
        """Say whether somebody has approved what a playbook sends, however much it is."""
        return approved(self._partition.approvals, playbook, self._partition.time_now())

    def standing(self, push: Candidate | Decision) -> Standing:
        """Return how a push's user stands with us.

        In history that is played (clock = "event") everything lies ahead of its pushes, so nobody asks; but for later
        steps, which come when their time has come.
        """
        settings = self._partition.settings
        if settings.clock == "event" and push.step == 1:
            return Standing()
        words = self.words(push.user)
        if not words.known:
            return Standing()
        people, place = words.people, words.place
        asked = self._asked.get(push.playbook) or self._ask(push.playbook)
        return Standing(
            there=not asked.dimension or _is_there(words, asked, push),
            complaints=people.column("complaints")[place],
            fatigue=people.values("fatigue")[place],
            coupon=people.values("coupon")[place],
            activity=people.values("activity")[place],
            active_days=int(count_bits(people.column("active_days")[place], 28)) if settings.push.cap_per_visit else 0,
            hours=people.column("hours")[place] if asked.rhythm else (),
            everybody=self._hours_of_all() if asked.rhythm else (),
            phase=asked.phase,
        )

    def _ask(self, name: str) -> Asked:
        """Return what a playbook asks, looked at once for each batch."""
        playbook, asked = self._partition.settings.playbooks.get(name), Asked()
        if playbook is not None:
            dimension, _, value = playbook.on.partition(".")
            kept = self._partition.shard.place(dimension) is not None
            offers = any(playbook.message(step).kind == "offer" for step in range(1, len(playbook.steps) + 2))
            asked = Asked(
                dimension=dimension if kept else "",
                value=value,
                rhythm=playbook.timing == "best_hour",
                phase=self._phase_now() if offers else "growth",
            )
        self._asked[name] = asked
        return asked

    def _phase_now(self) -> str:
        """Return the product's phase, asked once for each batch; a partition's users are like all."""
        if not self._phase:
            partition = self._partition
            self._phase = phase_of(partition.settings.push.phase, [partition.shard.periods], partition.time_now())
        return self._phase

    def _hours_of_all(self) -> Sequence[int]:
        """Return acts by hour of the day of users that stand for everybody, asked once for each batch."""
        if not self._everybody:
            shard = self._partition.shard
            known = len(shard.index)
            some = np.arange(0, known, max(1, known // SAMPLE))
            self._everybody = shard.rows["hours"][some].sum(axis=0, dtype=np.int64).tolist()
        return self._everybody


class Words:
    """What is known of a user: of `people` the one at `place`; `profile` is read when it is first asked for.

    Attributes:
        known: whether anything is known of him.
    """

    __slots__ = ("_now", "_profile", "_shard", "known", "people", "place")

    def __init__(self, shard: Shard, people: People, place: int, now: int) -> None:
        self._shard, self._now = shard, now
        self.people, self.place = people, place
        self.known = people.known[place]
        self._profile: Profile | bytes | None = shard.profiles.get(people.numbers[place]) if self.known else None

    @property
    def profile(self) -> Profile | None:
        """His profile, None where there is none."""
        if isinstance(self._profile, bytes):
            self._profile = consent.read(self._profile)
        return self._profile

    @property
    def time_zone(self) -> str | None:
        """That of his profile."""
        return self.profile.time_zone if self.profile else None

    def get(self, name: str, /) -> str | None:
        """Return the word for a variable of templates, None or empty where there is none."""
        figure = FIGURES.get(name)
        if figure is not None:
            return str(figure(self) or "") if self.known else None
        if name.startswith((ATTRIBUTES, VALUE)) or name == "level":
            said = self.value(name.removeprefix(VALUE))
            return None if said == NONE else said
        return None

    def interest(self) -> str:
        """Return the category that he likes most, empty for none."""
        return self.people.interests()[self.place]

    def points(self) -> int:
        """Return his account of points."""
        points: int = self.people.column("points")[self.place]
        return points

    def streak(self) -> int:
        """Return his days of check-in in a row."""
        return self.people.streak(self.place, self._now // DAY)

    def days(self) -> int:
        """Return his days of absence."""
        last_at: int = self.people.column("last_at")[self.place]
        return (self._now - last_at) // DAY

    def value(self, name: str) -> str | None:
        """Return what a playbook's `when` asks by name; None where there is nothing.

        His value in a dimension, `attributes.NAME`, `contacts.CHANNEL` (known or unknown), `time_zone`.
        """
        profile = self.profile
        if name == TIME_ZONE:
            return self.time_zone
        if name.startswith(CONTACTS):
            return "known" if profile and profile.contacts.get(name.removeprefix(CONTACTS)) else "unknown"
        if name.startswith(ATTRIBUTES):
            said = profile.attributes.get(name.removeprefix(ATTRIBUTES)) if profile else None
            return None if said is None else str(said)
        if self._shard.place(name) is None:
            return None
        return self.people.values(name)[self.place] if self.known else NONE


FIGURES: dict[str, Callable[[Words], str | int]] = {
    "interest": Words.interest,
    "points": Words.points,
    "streak": Words.streak,
    "days": Words.days,
}
"""What a row says beside its values; 0 or empty for nothing."""


def _is_there(words: Words, asked: Asked, push: Candidate | Decision) -> bool:
    """Say whether a user still is where the transition brought him: not back, nor corrected."""
    if words.people.column("seq")[words.place] < seq_of(push.transition):  # not told by this row: it is told again
        return True
    return words.people.holds_since(words.place, asked.dimension, asked.value, push.since or push.at)
