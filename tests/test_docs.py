"""What the documentation claims is so."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import msgspec
import pytest
import typer
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from streams import cli, metrics, settings
from streams.core.activity import CLASSES, TABLE
from streams.push.policy import Reason
from streams.wire.message import read_decision, read_transition

ROOT = Path(__file__).resolve().parents[1]
BOOKS = ("README.md", "deploy/README.md", "config/README.md")
README, DEPLOY, CONFIG = ((ROOT / name).read_text("utf-8") for name in BOOKS)
FILES = sorted({*ROOT.glob("*.md"), *ROOT.glob("[a-z]*/*.md"), *ROOT.glob(".github/*.md"), *ROOT.glob("deploy/*/*.md")})


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_transition_and_the_decision_shown_are_what_we_declare():
    transition, decision = blocks(README, "json")
    assert read_transition(transition).data.to == "dormant"
    shown = read_decision(decision).data
    assert shown.transition == read_transition(transition).id
    assert json.loads(decision)["data"]["reason"] in get_args(Reason)


def test_the_subscriber_shown_reads_the_transition_shown(monkeypatch, capsys):
    [program], [transition, _] = blocks(README, "python"), blocks(README, "json")
    records = [SimpleNamespace(value=transition.encode())]
    monkeypatch.setattr("kafka.KafkaConsumer", lambda *_, **options: records if "group_id" in options else [])
    exec(program, {})  # noqa: S102 (our own README)
    assert capsys.readouterr().out == "h1899 last seen 1483285692000\n"


def test_every_command_is_documented_and_every_documented_command_exists():
    commands = set(typer.main.get_command(cli.app).commands)
    named = set(re.findall(r"`awaken ([a-z]+)`", README))
    assert named == commands


def test_every_metric_is_documented_and_every_documented_metric_exists():
    declared = [m for m in vars(metrics).values() if isinstance(m, MetricWrapperBase)]
    ours = [m for m in REGISTRY.collect() if m.name.startswith("awaken")]
    families = {m.name + ("_total" if m.type == "counter" else "") for m in ours}
    named = set(re.findall(r"^\| `(awaken_\w+)`", DEPLOY, re.MULTILINE))
    assert named == families
    assert len(named) == len(declared)


def test_every_reason_is_documented_in_the_marketers_book():
    assert set(re.findall(r"^\| `(\w+)` \|", CONFIG, re.MULTILINE)) == set(get_args(Reason))


def test_the_diagram_is_drawn_from_the_table():
    drawn = "\n".join(f"{froms.replace(' ', ', '):24}{'── ' + on + ' ':─<24}→ {to}" for froms, on, to in TABLE)
    assert drawn in CONFIG
    for name in CLASSES[1:]:
        assert re.search(rf"^\| {name}\b", CONFIG, re.MULTILINE), name


@pytest.mark.parametrize("file", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(file):
    for target in re.findall(r"\]\((?!http)([^)#]+)", file.read_text("utf-8")):
        assert (file.parent / target).exists(), target


@pytest.mark.parametrize("text", [README, DEPLOY, CONFIG], ids=BOOKS)
def test_every_setting_named_exists(text):
    known = {f.name for f in msgspec.structs.fields(settings.Settings)} | {
        f"{s}.{f.name}"
        for s, section in (("topics", settings.Topics), ("activity", settings.Activity), ("push", settings.Push))
        for f in msgspec.structs.fields(section)
    }
    for name in re.findall(r"`((?:activity|push|topics)\.\w+)`", text):
        assert name in known
