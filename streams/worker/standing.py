"""What a push must know of users, asked of the partition that holds them: how they stand with us, and their words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams import consent, portrait
from streams.core.growth import present_streak
from streams.core.row import DAY
from streams.core.window import count_bits
from streams.playbook import Playbook
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

NONE = "none"
ASKED = ("fatigue", "coupon", "activity")
SAMPLE = 4096
"""Users whose hours stand for everybody's."""


class Users:
    """A partition's users, as the pushes of one batch ask about them; each is looked up once."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._everybody: Sequence[int] = ()
        self._phase = ""
        self._offering: dict[str, bool] = {}
        self._known: dict[str, tuple[int | None, Profile | None]] = {}

    def profile(self, user: str) -> Profile | None:
        """Return his profile."""
        return self._find(user)[1]

    def words(self, user: str) -> Words:
        """Return what is known of a user by name."""
        return Words(self._partition.shard, *self._find(user), self._partition.time_now())

    def approved(self, playbook: str) -> bool:
        """Say whether somebody has approved what a playbook sends, however much it is."""
        return approved(self._partition.approvals, playbook, self._partition.time_now())

    def _find(self, user: str) -> tuple[int | None, Profile | None]:
        """Return a user's row number and profile, each None where there is none."""
        found = self._known.get(user)
        if found is None:
            shard = self._partition.shard
            number = shard.number(user.encode())
            kept = None if number is None else shard.profiles.get(number)
            found = self._known[user] = number, None if kept is None else consent.read(kept)
        return found

    def standing(self, push: Candidate | Decision) -> Standing:
        """Return how a push's user stands with us.

        In history that is played (clock = "event") everything lies ahead of its pushes, so nobody asks; but for later
        steps, which come when their time has come.
        """
        settings, shard = self._partition.settings, self._partition.shard
        if settings.clock == "event" and push.step == 1:
            return Standing()
        number, _ = self._find(push.user)
        if number is None:
            return Standing()
        row = shard.rows[number]
        playbook = settings.playbooks.get(push.playbook)
        rhythm = playbook is not None and playbook.timing == "best_hour"
        fatigue, coupon, activity = shard.values_of(row, ASKED)
        return Standing(
            there=playbook is None or _is_there(shard, row, playbook, push),
            complaints=int(row["complaints"]),
            fatigue=fatigue,
            coupon=coupon,
            activity=activity,
            active_days=int(count_bits(int(row["active_days"]), 28)) if settings.push.cap_per_visit else 0,
            hours=row["hours"].tolist() if rhythm else (),
            everybody=self._hours_of_all() if rhythm else (),
            phase=self._phase_now() if playbook is not None and self._offers(push.playbook, playbook) else "growth",
        )

    def _offers(self, name: str, playbook: Playbook) -> bool:
        """Say whether any message of a playbook is an offer, asked once for each batch."""
        found = self._offering.get(name)
        if found is None:
            found = any(playbook.message(step).kind == "offer" for step in range(1, len(playbook.steps) + 2))
            self._offering[name] = found
        return found

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
    """What is known of a user, found as asked; it holds his row, and is not to be kept over an await."""

    def __init__(self, shard: Shard, number: int | None, profile: Profile | None, now: int) -> None:
        self._shard, self._profile, self._now = shard, profile, now
        self._row = None if number is None else shard.rows[number]

    @property
    def time_zone(self) -> str | None:
        """That of his profile."""
        return self._profile.time_zone if self._profile else None

    def get(self, name: str, /) -> str | None:
        """Return the word for a variable of templates, None or empty where there is none."""
        if name.startswith((ATTRIBUTES, VALUE)) or name == "level":
            said = self.value(name.removeprefix(VALUE))
            return None if said == NONE else said
        return None if self._row is None else str(self._figure(name, self._row) or "")

    def _figure(self, name: str, row: np.void) -> str | int:
        """Return what a row says beside its values; 0 or empty for nothing."""
        match name:
            case "interest":
                return portrait.interest(self._shard, row)
            case "points":
                return int(row["points"])
            case "streak":
                return int(present_streak(row, self._now // DAY)[1])
            case "days":
                return int((self._now - row["last_at"]) // DAY)
        return ""

    def value(self, name: str) -> str | None:
        """Return what a playbook's `when` asks by name; None where there is nothing.

        His value in a dimension, `attributes.NAME`, `contacts.CHANNEL` (known or unknown), `time_zone`.
        """
        profile = self._profile
        if name == TIME_ZONE:
            return self.time_zone
        if name.startswith(CONTACTS):
            return "known" if profile and profile.contacts.get(name.removeprefix(CONTACTS)) else "unknown"
        if name.startswith(ATTRIBUTES):
            said = profile.attributes.get(name.removeprefix(ATTRIBUTES)) if profile else None
            return None if said is None else str(said)
        if name not in self._shard.book.dimensions:
            return None
        return NONE if self._row is None else self._shard.value_of(self._row, name)


def _is_there(shard: Shard, row: np.void, playbook: Playbook, push: Candidate | Decision) -> bool:
    """Say whether a user still is where the transition brought him: not back, nor corrected."""
    dimension, _, value = playbook.on.partition(".")
    if dimension not in shard.book.dimensions:  # a day has come, or a reward: neither goes away
        return True
    if row["seq"] < seq_of(push.transition):  # not told by this row: it is told again
        return True
    return shard.holds_since(row, dimension, value, push.since or push.at)
