"""What a push must know of a user, asked of the partition that holds him: how he stands with us, and his words."""

from __future__ import annotations

from streams import portrait
from streams.push.policy import Standing
from streams.push.trigger import Candidate
from streams.threshold import ATTRIBUTES
from streams.wire.message import Decision, seq_of
from streams.worker.partition import Partition


def standing(partition: Partition, push: Candidate | Decision) -> Standing:
    """Return how a push's user stands with us.

    In history that is played (clock = "event") everything lies ahead of its pushes, so nobody asks.
    """
    if partition.settings.clock == "event":
        return Standing()
    key, shard = push.user.encode(), partition.shard
    return Standing(_is_there(partition, push), shard.complaints(key), shard.value(key, "fatigue"))


def words(partition: Partition, user: str) -> dict[str, str]:
    """Return what is known of a user by name: values, `attributes.NAME`, and what messages may speak of."""
    shard, profile = partition.shard, partition.profile(user)
    attributes = profile.attributes if profile else {}
    found = {f"{ATTRIBUTES}{name}": str(said) for name, said in attributes.items() if said is not None}
    number = shard.number(user.encode())
    if number is None:
        return found
    row = shard.rows[number]
    liked = portrait.interests(shard, row)
    found |= {name: said["value"] for name, said in portrait.values(shard, row).items()}
    return found | {
        "interest": liked[0]["category"] if liked else "",
        "points": str(row["points"]) if row["points"] else "",
    }


def _is_there(partition: Partition, push: Candidate | Decision) -> bool:
    """Say whether a user still is where the transition brought him: not back, nor corrected."""
    playbook = partition.settings.playbooks.get(push.playbook)
    if playbook is None or not partition.knows(push.user, seq_of(push.transition)):
        return True
    dimension, _, value = playbook.on.partition(".")
    return partition.shard.has_since(push.user.encode(), dimension, value, push.at)
