"""The topics: what each must be, declared once; created where missing, checked before all else starts.

Every topic is keyed by user and has the same number of partitions, since one worker owns a partition of all
of them. A broker deletes records by their own timestamps, and ours may lie far in the past, so:

- inputs of recorded history (`clock = "event"`) are kept for ever; live inputs follow the broker's retention;
- profiles and the state's changelog are compacted, never deleted by age;
- what we write (state, transitions, decisions, outcomes, dead letters) is stamped by the broker as it is
  appended (LogAppendTime): retention counts from when we wrote it, and a transition dated at a deadline of
  last year survives. The time of what happened stands in the message.

`python -m streams.ops.topics` creates the missing ones and tells what is wrong with the others.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import NoError, TopicAlreadyExistsError, for_code

from streams import settings as setting
from streams.ops.admin import Unreachable, connect

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

    from streams.settings import Settings

KEPT = {"retention.ms": "-1"}
COMPACTED = {"cleanup.policy": "compact"}
STAMPED = {"message.timestamp.type": "LogAppendTime"}
CREATE = "python -m streams.ops.topics"


class TopicsRefused(RuntimeError):  # noqa: N818 - it says what happened
    """The broker would not create a topic; the text says which, why, and what mends it."""


@dataclass(frozen=True)
class TopicSpec:
    """What a topic must be."""

    name: str
    partitions: int
    config: dict[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> bool:
        """Whether no record may go by age."""
        return self.config.items() >= KEPT.items() or self.config.items() >= COMPACTED.items()


@dataclass(frozen=True)
class Problem:
    """What is wrong with a topic, in a sentence, and the command that mends it."""

    topic: str
    detail: str
    mend: str
    missing: bool = False


def changelog(settings: Settings) -> str:
    """Return the name of the state's changelog, as Faust names that of the table `users`."""
    return f"{settings.group}-users-changelog"


def plan(settings: Settings) -> list[TopicSpec]:
    """Return every topic that a worker relies on."""
    names = settings.topics
    inputs = KEPT if settings.clock == "event" else {}
    configs = {
        names.clicks: inputs,
        names.orders: inputs,
        names.profiles: COMPACTED,
        changelog(settings): COMPACTED | STAMPED,
        names.lifecycle_transitions: STAMPED,
        names.push_decisions: STAMPED,
        names.push_outcomes: STAMPED,
        names.dead_letters: STAMPED,
    }
    return [TopicSpec(name, settings.partitions, config) for name, config in configs.items()]


def create(settings: Settings) -> list[str]:
    """Create the topics that are missing, and return their names.

    Raises:
        Unreachable: no broker answered.
        TopicsRefused: the broker would not create one.
    """
    with connect(settings.kafka) as admin:
        there = set(admin.list_topics())
        missing = {
            spec.name: {
                "num_partitions": spec.partitions,
                "replication_factor": settings.replication,
                "configs": spec.config,
            }
            for spec in plan(settings)
            if spec.name not in there
        }
        if not missing:
            return []
        answers = admin.create_topics(missing, raise_errors=False)["topics"]
        created = [answer["name"] for answer in answers if _created(answer, settings)]
        admin.wait_for_topics(list(missing))
    return created


def check(settings: Settings) -> list[Problem]:
    """Return what is wrong with the topics, the missing ones among them.

    Raises:
        Unreachable: no broker answered.
    """
    specs = plan(settings)
    with connect(settings.kafka) as admin:
        there = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics()}
        configs = _configs(admin, [spec.name for spec in specs if spec.name in there])
    found = [_judge(spec, there.get(spec.name), configs.get(spec.name, {}), settings) for spec in specs]
    return [problem for problem in found if problem is not None]


def _created(answer: dict[str, object], settings: Settings) -> bool:
    error = for_code(answer["error_code"])
    if error not in (NoError, TopicAlreadyExistsError):  # another worker may have been quicker
        said = answer.get("error_message") or error.__name__
        raise TopicsRefused(
            f"{settings.kafka} would not create the topic {answer['name']} with {settings.partitions} "
            f"partitions and replication {settings.replication}: {said}. Set AWAKEN_PARTITIONS and "
            "AWAKEN_REPLICATION to what the cluster can hold, or have its owner create the topic"
        )
    return error is NoError


def _configs(admin: KafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """Return each topic's settings as the broker has them; the embedded broker tells none."""
    if not names:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    answer = admin.describe_configs(asked, config_filter="all").get("topic", {})
    return {
        name: {key: str(entry["value"]) for key, entry in entries.items()} for name, entries in answer.items()
    }


def _judge(
    spec: TopicSpec, partitions: int | None, actual: dict[str, str], settings: Settings
) -> Problem | None:
    if partitions is None:
        return Problem(spec.name, f"the topic {spec.name} is missing", f"create it: {CREATE}", missing=True)
    if partitions != spec.partitions:
        return Problem(
            spec.name,
            f"the topic {spec.name} has {partitions} partitions, but `partitions` is {spec.partitions}, and "
            "all keyed topics must have the same number",
            f"if all of them have {partitions}: AWAKEN_PARTITIONS={partitions}; or, if its records may go, "
            f"delete it and create it anew: {_admin(settings)} topics delete -t {spec.name} && {CREATE}",
        )
    loss = _loss(spec, actual)
    if not loss:
        return None
    changes = " ".join(f"-c {key}={value}" for key, value in spec.config.items())
    return Problem(spec.name, loss, f"{_admin(settings)} configs alter -r topic -n {spec.name} {changes}")


def _loss(spec: TopicSpec, actual: dict[str, str]) -> str:
    """Return how records would be lost under the settings that the topic has, or nothing."""
    retention = actual.get("retention.ms", "-1")
    if "delete" not in actual.get("cleanup.policy", "") or retention == "-1":
        return ""
    if spec.kept:
        return f"the topic {spec.name} deletes records by age (retention.ms = {retention}), and none may go"
    if spec.config.items() >= STAMPED.items() and actual.get("message.timestamp.type") == "CreateTime":
        return (
            f"the topic {spec.name} deletes records by their own timestamps (message.timestamp.type = "
            f"CreateTime, retention.ms = {retention}), and ours may lie in the past"
        )
    return ""


def _admin(settings: Settings) -> str:
    return f"python -m kafka.admin -b {settings.kafka.split(',')[0]}"


def main() -> int:
    """Create the topics that are missing and print what is wrong with the others."""
    try:
        settings = setting.load()
        for name in create(settings):
            print(f"created {name}")  # noqa: T201
        problems = check(settings)
    except (setting.SettingsError, Unreachable, TopicsRefused) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    for problem in problems:
        print(f"{problem.detail}\n  {problem.mend}", file=sys.stderr)  # noqa: T201
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
