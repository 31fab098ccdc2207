import orjson

from streams.demo import report
from streams.demo.tally import Tally


def filled(make):
    tally = Tally(0.0)
    tally.play({"clicks": 90, "orders": 10}, 1_483_264_406_000, 1.0)
    tally.transition(make.transition("h1", "none>new", cause="event", at=1_483_264_406_000), 1.1)
    tally.transition(make.transition("h2", "active>dormant"), 1.1)
    tally.decision(make.decision("d1"))
    tally.decision(make.decision("d2", "no_consent", ()))
    tally.outcome(make.outcome("d1"))
    return tally


def test_the_report_is_what_the_tally_saw(make, tmp_path):
    report.write(report.summarise(filled(make), 10.0, 86_400_000, drained=True), tmp_path / "report.json")
    written = orjson.loads((tmp_path / "report.json").read_bytes())
    assert written["events"] == {"clicks": 90, "orders": 10, "profiles": 0}
    assert written["transitions"] == {"active>dormant": 1, "none>new": 1}
    assert written["decisions"] == {"no_consent": 1, "sent": 1}
    assert written["delivered"] == 1
    assert written["dead_letters"] == 0
    assert round(written["latency_ms"]["p50"]) == round(written["latency_ms"]["p99"]) == 100
    assert written["users"]["dormant"] == 1
    assert (written["seconds"], written["speed"]) == (10.0, "1 day per second")
    assert written["first_event"] == written["last_event"] == "2017-01-01T09:53:26.000Z"


def test_a_report_of_nothing_is_a_report(tmp_path):
    summary = report.summarise(Tally(0.0), 0.0, 1000, drained=False)
    report.write(summary, tmp_path / "report.json")
    assert orjson.loads((tmp_path / "report.json").read_bytes())["latency_ms"]["p99"] is None
    assert "stopped before" in report.tell(summary)


def test_the_end_is_told_in_words(make):
    told = report.tell(report.summarise(filled(make), 10.0, 86_400_000, drained=True))
    assert "played 100 events in 10 s (10/s)" in told
    assert "1 dormant" in told
    assert "1 no consent" in told
    assert "p50 100 ms" in told
    assert "stopped before" not in told
