import io
import re
from collections import Counter

import pytest
from rich.cells import cell_len
from rich.console import Console

from streams.demo.screen import LINE_SECONDS, Lines, Screen, choose
from streams.demo.tally import CLASSES, Tally
from streams.demo.view import LEAST_HEIGHT, LEAST_WIDTH, ORIGIN, Facts, bar, draw, line, spark

FACTS = Facts(
    servers="embedded servers, at least once",
    speed="1 day per second",
    first_at=1_483_264_406_000,
    last_at=1_514_779_280_000,
    pages="http://127.0.0.1:23456",
)
NOW = 1000.0
SIZES = [(width, height) for width in (76, 80, 95, 96, 100, 120, 200) for height in (21, 24, 28, 30, 50)]
SMALL = [(1, 1), (20, 5), (60, 16), (75, 40), (200, 20)]


@pytest.fixture
def empty():
    return Tally(NOW)


@pytest.fixture
def full(make):
    """A tally in which every figure is as wide as it gets, with reasons and channels nobody has heard of."""
    tally = Tally(NOW - 2)
    for n in range(200):
        tally.play({"clicks": 123_456, "orders": 9999, "profiles": 999}, FACTS.first_at + n * 10**8, NOW - 1)
        tally.tick(NOW - 100 + n / 2)
    moves = {
        "none>new": "event",
        "new>active": "event",
        "active>dormant": "time",
        "dormant>churned": "time",
        "churned>returning": "event",
    }
    for n in range(3000):
        move, cause = list(moves.items())[n % 5]
        evidence = {"last_at": FACTS.first_at, "threshold_days": 14.0, "absent_days": 123.4}
        message = make.transition(f"h{n}", move, cause=cause, at=FACTS.first_at + n, **evidence)
        tally.transition(message, NOW - 1 + n / 3000)
    for n in range(5000):
        code = ("sent", "no_consent", "not_contactable", "historic", "already_sent", "capped", "new_rule")[n % 7]
        tally.decision(make.decision(f"d{n}", code, ("inbox", "webhook") if code == "sent" else ()))
        tally.outcome(make.outcome(f"d{n}", "inbox"))
        tally.outcome(make.outcome(f"d{n}", "webhook", "failed" if n == 0 else "delivered"))
        tally.receive(f"d{n}")
        tally.dead_letter()
    return tally


def picture(tally, size, state="playing"):
    console = Console(width=size[0], height=size[1], file=io.StringIO(), force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(draw(tally, FACTS, state, NOW, size), end="")
    return capture.get().rstrip("\n").split("\n")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("which", ["empty", "full"])
def test_it_fills_the_screen_and_no_more(which, size, request):
    rows = picture(request.getfixturevalue(which), size)
    assert len(rows) == size[1]
    assert all(cell_len(row) <= size[0] for row in rows)
    assert "Ctrl-C" in rows[-1]


@pytest.mark.parametrize("size", SMALL)
def test_a_small_terminal_gets_what_fits(full, size):
    rows = picture(full, size)
    assert len(rows) <= size[1]
    assert all(cell_len(row) <= size[0] for row in rows)


@pytest.mark.parametrize("size", [(100, 30), (80, 24)])
def test_everything_that_matters_is_on_it(full, size):
    text = "\n".join(picture(full, size))
    for words in (
        ORIGIN,
        "UTC",
        "embedded servers, at least once",
        "1 day per second",
        "24,691,200",  # clicks
        "p50",
        "p99",
        "14 days without a sign",
        "sent",
        "no consent",
        "inbox",
        "failed",
        "dead letters",
        "http://127.0.0.1:23456/metrics",
        "/health/ready",
        *CLASSES,
    ):
        assert words in text, words


def test_at_100_by_30_eight_transitions_stand_with_cause_and_evidence(full):
    rows = [row for row in picture(full, (100, 30)) if "→" in row]
    assert len(rows) >= 8
    assert all(re.search(r"(act|time) .*\w", row) for row in rows)


def test_figures_are_never_cut_short(full):
    text = "\n".join(picture(full, (80, 24)))
    shown = Counter(int(figure) for figure in re.findall(r"\b71\d\b", text))
    assert shown == Counter(sorted(full.decisions.values(), reverse=True)[:6])


def test_nothing_is_cut_short_at_100_by_30(full):
    assert "…" not in "\n".join(picture(full, (100, 30)))


def test_before_anything_happens_it_says_so(empty):
    text = "\n".join(picture(empty, (100, 30)))
    assert "none yet" in text
    assert "Sun 01 Jan 2017" in text


def test_the_users_bars_are_in_proportion(make):
    tally = Tally(NOW)
    for n in range(40):
        tally.transition(make.transition(f"h{n}", "none>new" if n < 10 else "none>active"), NOW)
    lengths = {row.split("│")[3].split()[0]: row.count("█") for row in picture(tally, (100, 30)) if "█" in row}
    assert lengths["active"] == pytest.approx(3 * lengths["new"], abs=2)


def test_a_bar_is_exact_to_an_eighth():
    assert [bar(length) for length in (0, 0.5, 1, 2.25)] == ["", "▌", "█", "██▎"]


def test_a_trend_shows_its_newest_scaled_to_its_greatest():
    assert spark([9, 0, 50, 100], 3).plain == "▁▅█"
    assert spark([], 3).plain == ""
    assert spark([0, 0], 3).plain == "▁▁"


def test_the_line_is_plain_text(full, empty):
    assert line(full, NOW).isascii()
    assert "24,691,200" not in line(full, NOW)  # all topics together
    assert f"{full.sent:,} events" in line(full, NOW)
    assert line(empty, NOW).startswith("-: 0 events")


def test_lines_come_every_few_seconds_and_at_a_change_of_state(full):
    console = Console(file=io.StringIO(), width=60)
    with Lines(console, FACTS) as lines:
        for tenth in range(int(LINE_SECONDS * 20)):
            lines.show(full, "playing", NOW + tenth / 10)
        lines.show(full, "finishing", NOW + LINE_SECONDS * 2)
    printed = console.file.getvalue().splitlines()
    assert [text.split(":")[0] for text in printed] == ["playing", "playing", "finishing"]


def test_the_screen_draws_and_gives_the_terminal_back(full):
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=30)
    with Screen(console, FACTS) as screen:
        screen.show(full, "playing", NOW)
    written = console.file.getvalue()
    assert "\x1b[?1049h" in written
    assert ORIGIN.split(",")[0] in written
    assert written.rindex("\x1b[?1049l") > written.index("\x1b[?1049h")
    assert written.endswith("\x1b[?25h") or "\x1b[?25h" in written[written.rindex("\x1b[?1049l") - 20 :]


def test_a_pipe_gets_lines_and_a_terminal_the_screen():
    assert isinstance(choose(Console(file=io.StringIO()), FACTS), Lines)
    assert isinstance(choose(Console(force_terminal=True, _environ={"TERM": "xterm"}), FACTS), Screen)
    assert isinstance(choose(Console(force_terminal=True, _environ={"TERM": "dumb"}), FACTS), Lines)


def test_the_least_size_is_the_least():
    assert (LEAST_WIDTH, LEAST_HEIGHT) <= (80, 24)
