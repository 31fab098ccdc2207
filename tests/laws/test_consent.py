"""What a user says back and what his profiles say: no order of the two, no recovery and no repetition changes it."""

from typing import get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.consent import allowed, read, renewed, spoken, usable
from streams.core.row import CHANNELS
from streams.shard import Shard
from streams.wire.event import Feedback, Profile
from streams.wire.message import MessageKind
from tests.laws.history import BOOK, FEEDBACK_DEEDS, PROFILE_DEEDS, Reader, histories, wide_cuts

T0 = 1_700_000_000_000
KINDS = (None, *get_args(MessageKind))
NAMES = ("email", "sms")
times = st.integers(T0, T0 + 6)
flags = st.dictionaries(st.sampled_from(NAMES), st.booleans())
profiles = st.builds(Profile, st.just("u"), times, consent=flags)
words = st.builds(
    Feedback, st.just("u"), times, st.just("d"),
    st.sampled_from(("bounced", "complained", "unsubscribed", "subscribed")),
    st.sampled_from((None, *NAMES)), st.sampled_from(KINDS),
)  # fmt: skip
told = st.lists(words | profiles, max_size=12)


def kept_of(events):
    kept = None
    for event in events:
        kept = spoken(kept, event) if isinstance(event, Feedback) else renewed(kept, msgspec.json.encode(event))
    return kept


def answers(kept):
    """All that can be asked of what is kept of a user."""
    if kept is None:
        return None
    profile = read(kept)
    return [allowed(profile, kind) for kind in KINDS], [usable(profile, name) for name in CHANNELS]


def yes(*candidates):
    """The word that counts, recomputed: of the latest of (time, yes) all must say yes."""
    latest = max((c[0] for c in candidates), default=None)
    return all(c[1] for c in candidates if c[0] == latest)


@given(told, st.randoms(use_true_random=False))
def test_any_interleaving_of_profiles_and_feedback_gives_the_same_answers(events, chance):
    """What he says may come in any order, among itself too; of profiles the one that comes last is the newest."""
    feedback = [event for event in events if isinstance(event, Feedback)]
    records = [event for event in events if isinstance(event, Profile)]
    chance.shuffle(feedback)
    mixed = feedback + [None] * len(records)
    chance.shuffle(mixed)
    rest = iter(records)
    shuffled = [next(rest) if event is None else event for event in mixed]
    assert answers(kept_of(shuffled)) == answers(kept_of(events))


@given(told)
def test_what_counts_is_the_latest_of_all_that_was_said_of_it(events):
    """The words as they came are asked, without anything kept."""
    kept = kept_of(events)
    if kept is None:
        return
    profile = next((e for e in reversed(events) if isinstance(e, Profile)), Profile("u", 0))
    spoken_words = [e for e in events if isinstance(e, Feedback) and e.kind != "bounced"]
    for kind in KINDS:
        for name, found in allowed(read(kept), kind).items():
            whole = [(w.at, w.kind == "subscribed") for w in spoken_words
                     if w.channel in (None, name) and (w.kind == "complained" or w.about is None)]  # fmt: skip
            whole += [(profile.at, profile.consent[name])] if name in profile.consent else []
            about = [(w.at, w.kind == "subscribed") for w in spoken_words
                     if w.channel in (None, name) and w.kind != "complained" and kind and w.about == kind]  # fmt: skip
            assert found == (yes(*whole) and yes(*about))


@given(told, words)
def test_a_repetition_changes_nothing_and_an_objection_never_allows_more(events, word):
    once = spoken(kept_of(events), word)
    assert answers(spoken(once, word)) == answers(once)
    if word.kind in ("unsubscribed", "complained"):
        before = allowed(read(kept_of(events))) if events else {}
        assert all(before[name] for name, found in allowed(read(once)).items() if found and name in before)


@given(histories(FEEDBACK_DEEDS + PROFILE_DEEDS), wide_cuts, wide_cuts)
def test_shards_that_read_in_other_cuts_or_recover_between_them_agree(history, cut, other):
    plain = Reader(history).run(cut)
    reader, restored = Reader(history), Shard(BOOK)
    for source, size in other:
        reader.chunk(source, size)
    restored.restore(reader.shard.take_changed())
    restored.settle()
    rest = Reader(history, shard=restored).run()
    assert rest.rows() == plain.rows()
    for key in plain.rows():
        assert answers(rest.shard.profile(key)) == answers(plain.shard.profile(key))
