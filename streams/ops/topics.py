"""The topics: what each must be, declared once; created where missing, checked before all else starts.

Every topic that is keyed by user has the same number of partitions, since one worker owns a partition of all
of them. `control` is of one partition, which every worker reads whole. A broker deletes records by their own
timestamps, and ours may lie far in the past, so:

- inputs of recorded history (`clock = "event"`) are kept for ever; live inputs follow the broker's retention;
- profiles, control and the state's changelog are compacted, never deleted by age;
- what we write (state, transitions, decisions, outcomes, dead letters) is stamped by the broker as it is
  appended (LogAppendTime): retention counts from when we wrote it, and a transition dated at a deadline of
  last year survives. The time of what happened stands in the message. And there is room for more than an input
  may be long: a bad record of full size, with its reason in the headers, must not stop its partition.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import NoError, TopicAlreadyExistsError, for_code

from streams.ops import NotReady
from streams.ops.admin import connect

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

    from streams.settings import Settings

KEPT = {"retention.ms": "-1"}
COMPACTED = {"cleanup.policy": "compact"}
OURS = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(4 << 20)}
CREATE = "awaken topics"


class TopicsRefused(NotReady):
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
    """What is wrong with topics, in a sentence, and what mends it."""

    topics: tuple[str, ...]
    detail: str
    mend: str
    missing: bool = False

    def __str__(self) -> str:
        return f"{self.detail}\n  {self.mend}"


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
        names.push_feedback: inputs,
        names.profiles: COMPACTED,
        changelog(settings): COMPACTED | OURS,
        names.lifecycle_transitions: OURS,
        names.value_transitions: OURS,
        names.growth_transitions: OURS,
        names.referrals: OURS,
        names.push_decisions: OURS,
        names.push_outcomes: OURS,
        names.dead_letters: OURS,
    }
    keyed = [TopicSpec(name, settings.partitions, config) for name, config in configs.items()]
    return [*keyed, TopicSpec(names.control, 1, COMPACTED | OURS)]


def create(settings: Settings) -> list[str]:
    """Create the topics that are missing, and return their names.

    Raises:
        Unreachable: no broker answered.
        TopicsRefused: the broker would not create one of them.
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
    specs = {spec.name: spec for spec in plan(settings)}
    with connect(settings.kafka) as admin:
        counts = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics()}
        there = [name for name in specs if name in counts]
        configs = _configs(admin, there)
    missing = tuple(name for name in specs if name not in counts)
    found = [_missing(missing)] if missing else []
    found += _mismatches({name: counts[name] for name in there if name != settings.topics.control}, settings)
    found += _parted(settings, counts.get(settings.topics.control, 1))
    found += [
        Problem((name,), loss, f"{_admin(settings)} configs alter -r topic -n {name} {_changes(specs[name])}")
        for name, actual in configs.items()
        if (loss := _loss(specs[name], actual))
    ]
    return found


def _created(answer: dict[str, object], settings: Settings) -> bool:
    error = for_code(answer["error_code"])
    if error not in (NoError, TopicAlreadyExistsError):  # another worker may have been quicker
        partitions = 1 if answer["name"] == settings.topics.control else settings.partitions
        said = str(answer.get("error_message") or error.__name__).rstrip(".")
        raise TopicsRefused(
            f"{settings.kafka} would not create the topic {answer['name']} with {partitions} "
            f"partitions and replication {settings.replication}: {said}",
            "set AWAKEN_PARTITIONS and AWAKEN_REPLICATION to what the cluster can hold, or ask its owner",
        )
    return error is NoError


def _configs(admin: KafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """Return each topic's settings as the broker has them; the embedded one tells only what was set."""
    if not names:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    answer = admin.describe_configs(asked, config_filter="all").get("topic", {})
    return {name: {key: str(entry["value"]) for key, entry in entries.items()} for name, entries in answer.items()}


def _missing(names: tuple[str, ...]) -> Problem:
    return Problem(names, f"{_listed(names)} missing", f"create what is missing: {CREATE}", missing=True)


def _mismatches(counts: dict[str, int], settings: Settings) -> list[Problem]:
    """Return a problem for each number of partitions that is not the one that is set."""
    problems = []
    for count in sorted(set(counts.values()) - {settings.partitions}):
        names = tuple(name for name, partitions in counts.items() if partitions == count)
        flags = " ".join(f"-t {name}" for name in names)
        delete = f"{_admin(settings)} topics delete {flags}"
        mend = f"if the records may go, delete and create anew: {delete} && {CREATE}"
        if len(names) == len(counts):
            mend = f"set AWAKEN_PARTITIONS={count}; or, {mend}"
        detail = f"{_listed(names)} of {count} partitions, but all keyed topics must have {settings.partitions}"
        problems.append(Problem(names, f"{detail}, as `partitions` says", mend))
    return problems


def _parted(settings: Settings, count: int) -> list[Problem]:
    """Return a problem if `control` has more than one partition: there would be no order between its records."""
    name = settings.topics.control
    delete = f"{_admin(settings)} topics delete -t {name}"
    mend = f"if what was declared and learnt may go, delete and create anew: {delete} && {CREATE}"
    return [Problem((name,), f"the topic {name} is of {count} partitions, but must have 1", mend)] if count != 1 else []


def _listed(names: tuple[str, ...]) -> str:
    return f"the topic {names[0]} is" if len(names) == 1 else f"the topics {', '.join(names)} are"


def _changes(spec: TopicSpec) -> str:
    return " ".join(f"-c {key}={value}" for key, value in spec.config.items())


def _loss(spec: TopicSpec, actual: dict[str, str]) -> str:
    """Return how records would be lost under the settings that the topic has, or nothing."""
    retention = actual.get("retention.ms", "-1")
    if "delete" not in actual.get("cleanup.policy", "") or retention == "-1":
        return ""
    if spec.kept:
        return f"the topic {spec.name} deletes records by age (retention.ms = {retention}), and none may go"
    if spec.config.items() >= OURS.items() and actual.get("message.timestamp.type") == "CreateTime":
        return (
            f"the topic {spec.name} deletes records by their own timestamps (message.timestamp.type = "
            f"CreateTime, retention.ms = {retention}), and ours may lie in the past"
        )
    return ""


def _admin(settings: Settings) -> str:
    return f"python -m kafka.admin -b {settings.kafka.split(',')[0]}"
