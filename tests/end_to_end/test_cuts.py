"""Cuts of the population: sketched by the partitions, frozen on `control`, and moving those who did nothing."""

from streams.settings import Value
from tests.end_to_end.history import START, order
from tests.oracle import DAY

RICH, USERS = 20, 60


def test_the_mean_of_all_buyers_is_frozen_and_moves_who_did_nothing(play, real_kafka):
    scene = play(
        real_kafka,
        dimensions=("activity", "rfm"),
        value=Value(thresholds="mean", monetary_amount=1, frequency_orders=1),
    )
    spent = {f"u{n:04d}": 500.0 if n < RICH else 5.0 for n in range(USERS)}
    scene.write([order(user, START + n, amount=amount) for n, (user, amount) in enumerate(spent.items())])
    worker = scene.start_ready()
    scene.await_folded()
    scene.wait("the cuts to be frozen", lambda: any(r.key == b"rules-2" for r in scene.control()))
    scene.write([order(f"later{n}", START + DAY, amount=5.0) for n in range(30)])
    moves = scene.wait("those under the mean to fall", lambda: [t for t in rfm(scene) if t.data.cause == "threshold"])
    scene.wait("all of them", lambda: len([t for t in rfm(scene) if t.data.cause == "threshold"]) >= USERS - RICH)
    scene.stop(worker)
    moves = [t for t in rfm(scene) if t.data.cause == "threshold"]
    assert {t.subject for t in moves} == {user for user, amount in spent.items() if amount < 500}
    assert {(t.data.from_, t.data.to) for t in moves} == {("champion", "grow_basket")}
    assert all("cuts" in t.data.rules and t.data.evidence["valuable"] > 500 for t in moves)
    assert not scene.decisions(), "nothing is pushed for a threshold"


def rfm(scene):
    return [t for t in scene.transitions() if t.data.dimension == "rfm"]
