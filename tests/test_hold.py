"""Pushes that wait: due in their order, let go, forgotten, and back from the changelog as they were."""

from hypothesis import given
from hypothesis import strategies as st

from streams import rulebook
from streams.hold import held_pushes
from streams.settings import Settings
from streams.shard import HOLD_KEY, Shard
from streams.wire.message import Decision

BOOK = rulebook.build(Settings())


def held(ident, until, user="u1"):
    return Decision(ident, user, 0, "reactivation", "t-1-0", "hold", "quiet_hours", ("inbox",), (), until)


def ids(decisions):
    return [decision.id for decision in decisions]


def test_the_first_that_is_due_comes_first_and_stays_until_it_is_let_go():
    hold = held_pushes()
    for ident, until in (("c", 30), ("a", 10), ("b", 20)):
        hold.add(held(ident, until))
    assert ids(hold.due(9, 10)) == []
    assert ids(hold.due(20, 10)) == ids(hold.due(20, 10)) == ["a", "b"]
    assert ids(hold.due(99, 2)) == ["a", "b"]
    hold.remove("a")
    assert ids(hold.due(99, 10)) == ["b", "c"]
    assert len(hold) == 2


def test_one_that_is_held_anew_is_due_at_its_new_time_and_once():
    hold = held_pushes()
    hold.add(held("a", 10))
    hold.add(held("a", 30))
    hold.add(held("a", 30))
    assert ids(hold.due(20, 10)) == []
    assert ids(hold.due(30, 10)) == ["a"]


def test_who_is_erased_is_pushed_no_more():
    hold = held_pushes()
    hold.add(held("a", 10))
    hold.add(held("b", 10, user="u2"))
    hold.forget("u1")
    assert ids(hold.due(99, 10)) == ["b"]
    assert dict(hold.take()).keys() == {"a", "b"}


steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 5), st.integers(0, 20), st.sampled_from(["u1", "u2"])),
        st.tuples(st.just("remove"), st.integers(0, 5)),
        st.tuples(st.just("forget"), st.sampled_from(["u1", "u2"])),
        st.tuples(st.just("commit")),
    ),
    max_size=40,
)


@given(steps, st.integers(0, 25))
def test_a_shard_that_is_read_back_holds_what_was_held(history, now):
    shard, other = Shard(BOOK), Shard(BOOK)
    model = {}

    def commit():
        other.restore(shard.take_changed())

    for word, *arguments in history:
        match word:
            case "add":
                number, until, user = arguments
                model[f"d{number}"] = held(f"d{number}", until, user)
                shard.hold.add(model[f"d{number}"])
            case "remove":
                model.pop(f"d{arguments[0]}", None)
                shard.hold.remove(f"d{arguments[0]}")
            case "forget":
                model = {ident: d for ident, d in model.items() if d.user != arguments[0]}
                shard.hold.forget(arguments[0])
            case "commit":
                commit()
    commit()
    due = sorted((d for d in model.values() if d.until <= now), key=lambda d: (d.until, d.id))
    assert shard.hold.due(now, 100) == other.hold.due(now, 100) == due
    assert len(shard.hold) == len(other.hold) == len(model)


def test_only_what_changed_is_written_and_what_was_let_go_leaves_no_record_behind():
    shard = Shard(BOOK)
    shard.hold.add(held("a", 10))
    assert HOLD_KEY + b"a" in dict(shard.take_changed().each())
    assert HOLD_KEY + b"a" not in dict(shard.take_changed().each())
    shard.hold.remove("a")
    assert dict(shard.take_changed().each())[HOLD_KEY + b"a"] is None


def test_an_erased_users_pushes_go_with_him():
    shard = Shard(BOOK)
    row = int(shard.intern([b"u1"])[0])
    shard.hold.add(held("a", 10))
    shard.erase(row)
    assert not len(shard.hold)
