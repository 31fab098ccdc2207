"""Links to the preference page: whose they are cannot be changed, and secrets can."""

import msgspec
import pytest

from streams.preference import Forged, Mandate, _signer, link, read, token
from streams.settings import Push
from streams.wire.message import Decision

DECISION = Decision(
    "reactivation:u1-3-1700000000000", "u1", 1_700_000_000_000, "reactivation", "u1-3-1700000000000", "send", "sent",
    ("email",), (), kind="offer",
)  # fmt: skip
PUSH = Push(public_url="https://push.example/", secret="a-long-word")
TOKEN = token("a-long-word", "u1", "email", "offer", DECISION.id)


@pytest.mark.parametrize("user", ["u1", "用户/ü b?c#d%2Fe\n&g", "x" * 512])
def test_a_token_says_whose_it_is_and_which_message_it_stood_in(user):
    text = token("a-long-word", user, "email", "offer", DECISION.id)
    assert read("a-long-word", text) == Mandate(1, user, "email", "offer", DECISION.id)
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


def test_a_token_is_made_from_the_decision_alone():
    assert link(PUSH, DECISION, "email") == link(PUSH, DECISION, "email") == f"https://push.example/preferences/{TOKEN}"


@pytest.mark.parametrize("changes", [{"public_url": ""}, {"secret": ""}, {"secret": "  "}])
def test_without_an_address_or_a_secret_there_is_no_link(changes):
    assert link(msgspec.structs.replace(PUSH, **changes), DECISION, "email") == ""


def test_the_first_secret_signs_and_all_verify():
    assert read("newer a-long-word", TOKEN).user == "u1"
    newer = token("newer a-long-word", "u1", "email", "offer", "d")
    assert read("newer", newer).user == "u1"
    with pytest.raises(Forged):
        read("a-long-word", newer)


@pytest.mark.parametrize("secret", ["", " ", "another", "a-long-wor", "a-long-word-"])
def test_what_another_secret_signed_is_forged(secret):
    with pytest.raises(Forged):
        read(secret, TOKEN)


def test_no_character_of_a_token_can_be_changed():
    for place, letter in enumerate(TOKEN):
        changed = TOKEN[:place] + ("A" if letter != "A" else "B") + TOKEN[place + 1 :]
        try:
            found = read("a-long-word", changed)
        except Forged:
            continue
        assert place == len(TOKEN) - 1, "only the last character has bits that say nothing"
        assert found == read("a-long-word", TOKEN)


NONSENSE = ["", ".", "..", "nonsense", TOKEN[:-5], TOKEN.rpartition(".")[0], "%00", "é", "x" * 9000]


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_forged(text):
    with pytest.raises(Forged):
        read("a-long-word", text)


@pytest.mark.parametrize(
    "content", [[2, "u1", "email", "offer", "d"], [1, "u1"], {"user": "u1"}, [1, "u1", "e/m", "offer", "d"], None, []]
)
def test_what_we_signed_but_cannot_read_is_refused(content):
    with pytest.raises(Forged):
        read("a-long-word", _signer("a-long-word").dumps(content))
