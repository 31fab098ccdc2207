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
from streams.channels import webhook
from streams.channels.known import KNOWN
from streams.core.activity import CLASSES
from streams.core.dimension import DIMENSIONS, RFM
from streams.core.row import CAUSES, DAYS, WEEKS
from streams.core.rules import MAX_BANDS
from streams.core.value import TIERS
from streams.offer import SORTS
from streams.playbook import SHIPPED
from streams.push.policy import Reason
from streams.refusal import DAY_FACTS, MOST_OWN, TIMELESS_FACTS, WORDS
from streams.threshold import OWN_EXAMPLE
from streams.wire.message import read_decision, read_transition
from streams.worker.ending import Ending

ROOT = Path(__file__).resolve().parents[1]
BOOKS = ("README.md", "deploy/README.md", "config/README.md")
README, DEPLOY, CONFIG = ((ROOT / name).read_text("utf-8") for name in BOOKS)
FILES = sorted({*ROOT.glob("*.md"), *ROOT.glob("[a-z]*/*.md"), *ROOT.glob(".github/*.md"), *ROOT.glob("deploy/*/*.md")})


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_transition_and_the_decision_shown_are_what_we_declare():
    transition, tier, decision = blocks(README, "json")
    assert read_transition(transition).data.to == "dormant"
    assert read_transition(tier).data.dimension == "rfm"
    shown = read_decision(decision).data
    assert shown.transition == read_transition(transition).id
    assert json.loads(decision)["data"]["reason"] in get_args(Reason)


def test_the_subscriber_shown_reads_the_transition_shown(monkeypatch, capsys):
    [program], [transition, *_] = blocks(README, "python"), blocks(README, "json")
    twice = [SimpleNamespace(value=transition.encode())] * 2  # as after a crash of the subscriber's own
    monkeypatch.setattr("kafka.KafkaConsumer", lambda *topics, **options: subscribed(twice, topics, options))
    exec(program, {})  # noqa: S102 (our own README)
    assert capsys.readouterr().out == "h1899 last seen 1483285692000\n"


def subscribed(records, topics, options):
    assert topics == (settings.Topics().lifecycle_transitions,)
    assert options["isolation_level"] == "read_committed"
    return records


def test_every_command_is_documented_and_every_documented_command_exists():
    commands = set(typer.main.get_command(cli.app).commands)
    named = set(re.findall(r"`awaken ([a-z-]+)`", README))
    assert named == commands


def test_every_metric_is_documented_and_every_documented_metric_exists():
    declared = [m for m in vars(metrics).values() if isinstance(m, MetricWrapperBase)]
    ours = [m for m in REGISTRY.collect() if m.name.startswith("awaken")]
    families = {m.name + ("_total" if m.type == "counter" else "") for m in ours}
    named = set(re.findall(r"^\| `(awaken_\w+)`", DEPLOY, re.MULTILINE))
    assert named == families
    assert len(named) == len(declared)


def test_every_exit_code_is_documented():
    listed = DEPLOY.partition("| exit code |")[2].partition("###")[0]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", listed, re.MULTILINE)] == sorted(Ending)


def test_every_guarantee_names_tests_that_exist():
    text = (ROOT / "deploy" / "GUARANTEES.md").read_text("utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    assert len(named) > 30
    for file, name in named:
        assert (ROOT / file).is_file(), file
        found = not name or re.search(rf"^def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE)
        assert found, f"{file}::{name}"


def test_every_reason_is_documented_in_the_marketers_book():
    assert set(re.findall(r"^\| `(\w+)` \|", CONFIG, re.MULTILINE)) == set(get_args(Reason))


def test_the_playbooks_of_the_marketers_book_are_those_that_are_there_and_its_own_can_be_used(tmp_path):
    for name, playbook in SHIPPED.items():
        body = playbook.body.replace("|", "\\|")
        steps = ", ".join(
            f"{s.kind}{f' {s.offer}' * bool(s.offer)} after {s.after_days:g} days" for s in playbook.steps
        )
        assert f"| {name} | {playbook.on} | {playbook.title} | {body} | {steps} |" in CONFIG
    [example] = [block for block in blocks(CONFIG, "toml") if "[playbooks.rescue_beijing]" in block]
    file = tmp_path / "mine.toml"
    file.write_text(example)
    assert settings.load(file, {}).playbooks.keys() == SHIPPED.keys() | {"rescue_beijing"}


def test_the_channels_of_the_marketers_book_are_those_that_there_are_in_order_with_their_costs():
    told = CONFIG.split("\n## Channels\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\w+) \|[^|]+\|[^|]+\|[^|]+\| ([\d.]+) \|", told, re.MULTILINE)
    options = settings.Settings().channels
    assert [(name, float(cost)) for name, cost in rows] == [(n, getattr(options, n).cost) for n in KNOWN]


def test_the_check_of_a_signature_is_the_one_that_is_tested():
    [shown] = [block.splitlines() for block in blocks(CONFIG, "python") if "Awaken-Signature" in block]
    assert shown == [line.strip() for line in webhook.__doc__.splitlines()[-len(shown) :]]


TOPICS = msgspec.structs.asdict(settings.Topics())
BANDS = msgspec.structs.asdict(settings.Bands())
FACT_WORDS = {
    "clicks": "acts, orders apart",
    "active_days": "days with an act",
    "orders": "orders that stand",
    "spend": "what he spent, in units of the currency",
    "order_value": "his average order, in units of the currency",
    "coupons": "orders with a coupon",
    "points": "his account of points",
}


def overview():
    """Every dimension as it is declared, a row each."""
    rows = []
    for d in DIMENSIONS:
        values = f"your own: `bands.{d.name}`" if d.bands else ", ".join(d.values[1:])
        rows.append(f"| {d.name} | {d.title} | {values} | `{TOPICS[d.topic]}` | {', '.join(d.figures)} |")
    return "\n".join(rows)


def topics_diagram():
    lines = ["flowchart LR"]
    for field in dict.fromkeys(d.topic for d in DIMENSIONS):
        names = " & ".join(d.name for d in DIMENSIONS if d.topic == field)
        lines.append(f"    {names} --> {field}([{TOPICS[field]}])")
    return "\n".join(lines)


def moves_diagram(moves):
    lines = ["stateDiagram-v2"]
    for froms, on, to in moves:
        lines += [f"    {'[*]' if name == 'none' else name} --> {to}: {on}" for name in froms.split()]
    return "\n".join(lines)


def tiers_diagram():
    """The eight tiers as a tree of three questions, from the table by which the fold judges."""
    lines = ["flowchart LR", "    M{M?} -- high --> R1{R?}", "    M -- low --> R0{R?}"]
    for m in (1, 0):
        for r in (1, 0):
            lines.append(f"    R{m} -- {'high' if r else 'low'} --> F{m}{r}{{F?}}")
            for f in (1, 0):
                tier = DIMENSIONS[RFM].values[TIERS[r, f, m]]
                lines.append(f"    F{m}{r} -- {'high' if f else 'low'} --> {tier}")
    return "\n".join(lines)


def band_table(name):
    rows = [f"| {value} | {bound:g} |" for value, bound in BANDS[name].items()]
    return "\n".join(["| value | from |", "|---|---|", *rows])


def facts_table():
    longest = {fact: f"days, 1 to {DAYS}" if fact in DAY_FACTS else f"weeks, 1 to {WEEKS}" for fact in WORDS}
    longest |= dict.fromkeys(TIMELESS_FACTS, "none")
    return "\n".join(f"| {fact} | {FACT_WORDS[fact]} | {longest[fact]} |" for fact in WORDS)


def offers_table():
    rows = []
    for kind, sort in SORTS.items():
        needs = [f"`{name}`" for name in sort.needs]
        needs += [f"one of {' '.join(f'`{name}`' for name in group)}" for group in sort.one_of]
        rows.append(f"| {kind} | {sort.what} | {', '.join(needs)} | {' '.join(f'`{name}`' for name in sort.may)} |")
    return "\n".join(rows)


DRAWN = {
    "offers": offers_table,
    "overview": overview,
    "topics": topics_diagram,
    "activity": lambda: moves_diagram(DIMENSIONS[0].moves),
    "rfm": tiers_diagram,
    **{name: lambda name=name: band_table(name) for name in BANDS},
    "facts": facts_table,
    "own": lambda: OWN_EXAMPLE,
    "kinds": lambda: settings.KINDS_EXAMPLE,
    "max_bands": lambda: f"there are at most {MAX_BANDS}.",
    "most_own": lambda: f"There is room for {MOST_OWN}.",
}


@pytest.mark.parametrize("name", DRAWN)
def test_tables_and_diagrams_are_drawn_from_the_declarations(name):
    assert DRAWN[name]() in CONFIG


def section(heading):
    return re.split(r"^#{2,3} ", CONFIG.split(f"\n### {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda d: d.name)
def test_every_dimension_has_its_values_in_order_with_their_meaning(dimension):
    rows = re.findall(r"^\| (\w+)[^|]*\| ([^|]+) \|", section(dimension.name), re.MULTILINE)
    values = tuple(BANDS[dimension.name]) if dimension.bands else dimension.values[1:]
    assert tuple(name for name, _ in rows if name != "value") == values
    assert all(meaning.strip() for _, meaning in rows)


def test_every_threshold_is_explained():
    named = set(re.findall(r"`((?:activity|stage|rung|value|social|growth|bands)\.\w+)`", CONFIG))
    declared = {
        f"{f.name}.{inner.name}"
        for f in msgspec.structs.fields(settings.Settings)
        if f.name in settings.JUDGING and settings._is_section(f)
        for inner in msgspec.structs.fields(f.type)
    }
    assert declared - named == set()


def test_the_tiers_have_the_figures_by_which_they_are_judged():
    rows = re.findall(r"^\| (\w+) \| (\S+) \| (\w+) \| (\w+) \| (\w+) \| \S", section("rfm"), re.MULTILINE)
    rows = [row for row in rows if row[0] != "value"]
    assert len(rows) == len(DIMENSIONS[RFM].values) - 1
    signs = {(1, 1): "价值", (1, 0): "发展", (0, 1): "保持", (0, 0): "挽留"}
    for name, chinese, *levels in rows:
        r, f, m = (int(level == "high") for level in levels)
        assert set(levels) <= {"high", "low"}
        assert DIMENSIONS[RFM].values[TIERS[r, f, m]] == name
        assert chinese == ("重要" if m else "一般") + signs[r, f]


def test_every_class_and_cause_is_explained():
    for name in (*CLASSES[1:], *CAUSES):
        assert re.search(rf"^\| {name}\b", CONFIG, re.MULTILINE), name


def test_the_settings_shown_can_be_used(tmp_path):
    shown = blocks(CONFIG, "toml")
    assert len(shown) == 10
    for text in shown:
        file = tmp_path / "awaken.toml"
        file.write_text(text)
        settings.load(file, {})


@pytest.mark.parametrize("file", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(file):
    for target in re.findall(r"\]\((?!http)([^)#]+)", file.read_text("utf-8")):
        assert (file.parent / target).exists(), target


@pytest.mark.parametrize("text", [README, DEPLOY, CONFIG], ids=BOOKS)
def test_every_setting_named_exists(text):
    known = {name: section.__struct_fields__ for name, section in settings._sections("", settings.Settings) if name}
    for name, field in re.findall(rf"`({'|'.join(map(re.escape, known))})\.(\w+)`", text):
        assert field in known[name], f"{name}.{field}"
