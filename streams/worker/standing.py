"""What a push must know of users, asked of the partition that holds them: how they stand with us, and their words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams import portrait
from streams.core.window import count_bits
from streams.push.policy import Standing
from streams.push.trigger import Candidate
from streams.threshold import ATTRIBUTES
from streams.wire.event import Profile
from streams.wire.message import Decision, seq_of
from streams.worker.partition import Partition

SAMPLE = 4096
"""Users whose hours stand for everybody's."""


class Users:
    """A partition's users, as pushes ask about them."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._everybody: Sequence[int] = ()

    def profile(self, user: str) -> Profile | None:
        """Return his profile."""
        return self._partition.profile(user)

    def words(self, user: str) -> Words:
        """Return what is known of a user by name."""
        return Words(self._partition, user)

    def standing(self, push: Candidate | Decision) -> Standing:
        """Return how a push's user stands with us.

        In history that is played (clock = "event") everything lies ahead of its pushes, so nobody asks; but for later
        steps, which come when their time has come.
        """
        partition, shard = self._partition, self._partition.shard
        if partition.settings.clock == "event" and push.step == 1:
            return Standing()
        number = shard.number(push.user.encode())
        if number is None:
            return Standing(_is_there(partition, push))
        row = shard.rows[number]
        playbook = partition.settings.playbooks.get(push.playbook)
        rhythm = playbook is not None and playbook.timing == "best_hour"
        return Standing(
            there=_is_there(partition, push),
            complaints=int(row["complaints"]),
            fatigue=shard.value_of(row, "fatigue"),
            coupon=shard.value_of(row, "coupon"),
            activity=shard.value_of(row, "activity"),
            active_days=int(count_bits(int(row["active_days"]), 28)) if partition.settings.push.cap_per_visit else 0,
            hours=row["hours"].tolist() if rhythm else (),
            everybody=self._hours_of_all() if rhythm else (),
        )

    def _hours_of_all(self) -> Sequence[int]:
        """Return acts by hour of the day of users that stand for everybody, asked once for each batch."""
        if not self._everybody:
            shard = self._partition.shard
            known = len(shard.index)
            some = np.arange(0, known, max(1, known // SAMPLE))
            self._everybody = shard.rows["hours"][some].sum(axis=0, dtype=np.int64).tolist()
        return self._everybody


class Words:
    """What is known of a user by name: values, `attributes.NAME`, and what messages may speak of; found as asked."""

    def __init__(self, partition: Partition, user: str) -> None:
        self._shard = partition.shard
        self._number = partition.shard.number(user.encode())
        profile = partition.profile(user)
        self._attributes = profile.attributes if profile else {}

    def get(self, name: str, /) -> str | None:
        """Return what is known by a name, None or empty where nothing is."""
        if name.startswith(ATTRIBUTES):
            said = self._attributes.get(name.removeprefix(ATTRIBUTES))
            return None if said is None else str(said)
        if self._number is None:
            return None
        row = self._shard.rows[self._number]
        match name:
            case "interest":
                return portrait.interest(self._shard, row)
            case "points":
                return str(row["points"]) if row["points"] else ""
            case _:
                return self._shard.value_of(row, name)


def _is_there(partition: Partition, push: Candidate | Decision) -> bool:
    """Say whether a user still is where the transition brought him: not back, nor corrected."""
    playbook = partition.settings.playbooks.get(push.playbook)
    if playbook is None or not push.transition or not partition.knows(push.user, seq_of(push.transition)):
        return True
    dimension, _, value = playbook.on.partition(".")
    return partition.shard.has_since(push.user.encode(), dimension, value, push.since or push.at)
