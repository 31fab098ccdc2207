"""What compiled code takes msgspec takes too, with the same values; what is usual it takes, what is odd it leaves."""

import json
from typing import Annotated, Literal

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Meta, Struct

from streams.core.row import CLICK_KINDS, CLICKS, FEEDBACK, FEEDBACK_KINDS, ORDERS
from streams.dictionary import Codes, Dictionary
from streams.wire import decode as decoding
from streams.wire import scan
from streams.wire.block import Block, Record
from streams.wire.decode import Names, decode
from streams.wire.event import Click, Feedback, Order

AT = 1_700_000_000_000
LATEST = AT + 3_600_000


class Odd(Struct):
    """Declarations of every kind, names and words that begin alike, bounds."""

    a_long_name_one: str | None = None
    a_long_name_three: str | None = None
    word: Literal["a long word one", "a long word three", "", "a"] | None = None
    short: Annotated[str, Meta(min_length=2, max_length=3)] = "xx"
    letters: Annotated[str, Meta(pattern="^[a-z]{2,3}$")] = "ab"
    free: Annotated[str, Meta(pattern="^a")] = "a"
    small: Annotated[int, Meta(ge=-5, le=5)] = 0
    above: Annotated[int, Meta(gt=0)] = 1
    share: Annotated[float, Meta(ge=-0.5, le=0.5)] | None = None
    number: int | float = 0
    yes: bool = False
    many: tuple[int, ...] = ()
    text_or_number: str | int = ""
    renamed: int = msgspec.field(default=0, name="name on the wire")


STRUCTS = (Click, Order, Feedback, Odd)
FIELDS = {struct: scan.fields(struct) for struct in STRUCTS}
READERS = {struct: msgspec.json.Decoder(struct).decode for struct in STRUCTS}
SOURCES = {CLICKS: Click, ORDERS: Order, FEEDBACK: Feedback}


def scanned(struct, text):
    """What is read of an object by field, as the tokens hold it; None where it is left."""
    tokens = np.zeros(1, scan.TOKENS)
    before, after = b'"{', b'1"}'  # what stands beside it in its block is not looked at
    data = np.frombuffer(before + text + after, np.uint8)
    said = int(scan.scan(data, np.uint64(2), np.uint64(2 + len(text)), FIELDS[struct][0], tokens[0]))
    if said & int(scan.STRANGE):
        return None
    found = {}
    for f, name in enumerate(scan.names(struct)):
        if said >> f & 1:
            kind = FIELDS[struct]["kinds"][0, f]
            start, end = tokens["spans"][0, f].tolist()
            found[name] = {
                scan.TEXT: lambda start=start, end=end: data[start:end].tobytes().decode(),
                scan.WHOLE: lambda f=f: int(tokens["wholes"][0, f]),
                scan.DECIMAL: lambda f=f: float(tokens["decimals"][0, f]),
                scan.WORD: lambda f=f, name=name: scan.words(struct, name)[tokens["wholes"][0, f]],
            }[kind]()
    return found


def expected(struct, value, found):
    """The same of what msgspec has read: fields that were not given are left out."""
    read = {field.encode_name: getattr(value, field.name) for field in msgspec.structs.fields(struct)}
    defaults = {field.encode_name: field.default for field in msgspec.structs.fields(struct)}
    return {name: x for name, x in read.items() if name in found or x != defaults[name]}


blanks = st.sampled_from(["", "", "", " ", "\n", "\t\r ", "  "])
texts = st.one_of(
    st.text(max_size=12),
    st.text("abcxyz_", max_size=12),
    st.sampled_from(
        ["", "u1", "鞋子", "é", "😀", "a" * 9, "a long word one", "a long word two", "a long word three", "email"]
    ),
    st.sampled_from([*CLICK_KINDS, *FEEDBACK_KINDS, "paid", "refunded", "content", "offer"]),
)
quoted = st.one_of(
    texts.map(lambda t: json.dumps(t, ensure_ascii=False)),
    texts.map(json.dumps),
    st.sampled_from(
        ['"\\u0061"', '"\\n"', '"a\\"b"', '"\\ud83d\\ude00"', '"\x7f"', '"\x1f"', '"\t"', '"2023-11-14T22:13:20Z"']
    ),
)
numbers = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.integers(-20, 20).map(str),
    st.floats().map(json.dumps),
    st.decimals(-(10**9), 10**9, places=2).map(str),
    st.builds("{}{}{}".format, st.integers(-(10**18), 10**18), st.sampled_from("eE"), st.integers(-30, 30)),
    st.builds("{}.{:+}".format, st.integers(-(10**6), 10**6), st.integers(0, 99)),
    st.sampled_from(
        ["-0", "0.0", "-0.0", "01", "1.", ".5", "1e5", "1E+2", "-", "0e0", "1e22", "1e23", "5e-1", "0.5", "+1"]
    ),
    st.sampled_from(
        ["9007199254740991", "9007199254740993", "0.1", "9" * 18, "9" * 19, str(AT), "1e9", "1000000000.1"]
    ),
)
values = st.one_of(
    quoted,
    numbers,
    st.sampled_from(["null", "true", "false", "nul", "nullx", "[]", "{}", "[1]", '{"a":1}', "", "tru", "[", "NaN"]),
)
GOOD = {
    "user": '"u1"', "at": str(AT), "kind": '"view"', "order": '"o1"', "amount": "12.34", "decision": '"d1"',
    "status": '"refunded"',
}  # fmt: skip


@st.composite
def objects(draw, struct):
    """An object that is nearly right, as bytes: fields given, left out, doubled, unknown; now and then damaged."""
    names = scan.names(struct)
    given_ = [name for name in names if name in GOOD and draw(st.integers(0, 30))]
    pairs = [(json.dumps(name), GOOD[name]) for name in given_]
    if struct is Feedback:
        pairs = [(name, '"opened"' if name == '"kind"' else value) for name, value in pairs]
    more = st.one_of(
        st.sampled_from(names),
        st.sampled_from(["new", "users", "categor", "", "名", "a_long_name_on", "a_long_name_two"]),
    )
    for name in draw(st.lists(more, max_size=3)):
        quoted_name = json.dumps(name, ensure_ascii=draw(st.booleans()))
        if draw(st.booleans()):
            pairs = [pair for pair in pairs if pair[0] != quoted_name]
        pairs.append((quoted_name, draw(values)))
    pairs = draw(st.permutations(pairs))
    blank = draw(blanks)
    parts = [f"{blank}{name}{draw(blanks)}:{blank}{value}{draw(blanks)}" for name, value in pairs]
    text = (f"{blank}{{" + ",".join(parts) + f"}}{draw(blanks)}").encode("utf-8", "surrogatepass")
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 2]))):
        at, byte = (
            draw(st.integers(0, len(text))),
            draw(st.one_of(st.binary(max_size=2), st.sampled_from([b'"', b",", b"\x80"]))),
        )
        text = text[:at] + byte + text[at + draw(st.integers(0, 2)) :]
    return text


@pytest.mark.parametrize("struct", STRUCTS)
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_what_is_taken_is_what_msgspec_reads(struct, data):
    text = data.draw(objects(struct))
    found = scanned(struct, text)
    if found is not None:
        assert repr(found) == repr({name: expected(struct, READERS[struct](text), found)[name] for name in found})
        assert expected(struct, READERS[struct](text), found).keys() == found.keys()


@given(st.one_of(numbers, st.floats(0, 1e9).map(repr)))
@example("0.1e1")
@settings(max_examples=300, deadline=None)
def test_a_number_is_the_nearest_float(text):
    found = scanned(Order, b'{"user":"u","at":1,"order":"o","amount":1,"discount":%s}' % text.encode())
    if found is not None:
        assert repr(found["discount"]) == repr(float(text))


@pytest.mark.parametrize(
    ("struct", "text"),
    [
        (Click, '{"user":"u0000123","at":1700000000000,"item":"i42","category":"c7","kind":"view"}'),
        (Click, ' { "user" : "u1" ,\n"at" : -1700000000000 ,\t"kind" : "checkin" }\r\n'),
        (Click, '{"user":"用户","at":0,"kind":"search","category":"鞋子和包","source":"😀é"}'),
        (Click, '{"user":"u","at":1,"kind":"redeem","points":1000000000,"page":null,"side":null,"inviter":""}'),
        (Click, '{"user":"u","at":1,"kind":"view","new":true,"newer":false,"newest":null,"figure":-1.5e3,"text":"鞋"}'),
        (Click, '{"user":"%s","at":1,"kind":"view"}' % ("u" * 512)),
        (Order, '{"user":"u","at":1,"order":"o","amount":0,"status":"cancelled","discount":12.5,"coupon":"c"}'),
        (Order, '{"user":"u","at":1,"order":"o","amount":1e9}'),
        (Order, '{"user":"u","at":1,"order":"o","amount":19.99}'),
        (Feedback, '{"user":"u","at":1,"decision":"d","kind":"unsubscribed","channel":"app_push","about":"offer"}'),
        (Odd, "{}      "),
        (Odd, "{ }     "),
        (Odd, '{"a_long_name_three":"x","word":"a long word three","letters":"abc","share":-0.5,"name on the wire":7}'),
        (Odd, '{"word":"","small":-5}'),
    ],
)  # fmt: skip
def test_what_is_usual_is_taken(struct, text):
    assert scanned(struct, text.encode()) is not None


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "}", "[]", "null", '"u"', '{"user"}', '{"user":}', "{,}", '{"user":"u",}',
        '{"user":"u","at":1,"kind":"view"',
        '{"user":"u","at":1,"kind":"view"}}',
        '{"user":"u","at":1,"kind":"view"} x',
        '{"user":"u","at":1,"kind":"view",}',
        '{"user":"u","at":1 "kind":"view"}',
        '{"user":"u","at":1,,"kind":"view"}',
        '{"user":"u","at":1,"kind":"vie\\u0077"}',
        '{"user":"u","at":1,"kind":"view","\\u0070age":"p"}',
        '{"user":"u\n","at":1,"kind":"view"}',
        '{"user":"u","at":1,"kind":"view","user":"u"}',
        '{"user":"u","at":1,"kind":"view","page":null,"page":"p"}',
        '{"user":"u","at":1,"kind":"view","deep":{}}',
        '{"user":"u","at":1,"kind":"view","deep":[]}',
        '{"user":"u","at":1,"kind":"view","points":null}',
        '{"user":"u","at":1,"kind":"view","points":-1}',
        '{"user":"u","at":1,"kind":"view","points":1000000001}',
        '{"user":"u","at":1,"kind":"view","points":1.0}',
        '{"user":"u","at":1,"kind":"view","page":true}',
        '{"user":"u","at":1,"kind":"view","page":1}',
        '{"user":"u","at":1,"kind":"views"}',
        '{"user":"u","at":1,"kind":"complain"}',
        '{"user":"u","at":01,"kind":"view"}',
        '{"user":"u","at":-,"kind":"view"}',
        '{"user":"u","at":"2023-11-14T22:13:20Z","kind":"view"}',
        '{"user":"","at":1,"kind":"view"}',
        '{"user":"%s","at":1,"kind":"view"}' % ("u" * 513),
        '{"at":1,"kind":"view"}',
        '{"user":null,"at":1,"kind":"view"}',
        '\ufeff{"user":"u","at":1,"kind":"view"}',
    ],
)  # fmt: skip
def test_what_is_odd_is_left(text):
    assert scanned(Click, text.encode()) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"\x80", b"\xc0\xaf", b"\xc2", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf0\x80\x80\x80", b"\xf4\x90\x80\x80",
        b"\xf5", b"\xff",
    ],
)  # fmt: skip
def test_what_is_no_utf8_is_left(raw):
    assert scanned(Click, b'{"user":"u","at":1,"kind":"view","page":"' + raw + b'"}') is None
    assert scanned(Click, b'{"user":"u","at":1,"kind":"view","' + raw + b'":1}') is None


@pytest.mark.parametrize(
    "character", ["\x7f", "\x80", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff"]
)
def test_the_first_and_last_characters_of_each_size_are_taken(character):
    for before in range(9):
        text = "a" * before + character
        assert scanned(Odd, json.dumps({"a_long_name_one": text}, ensure_ascii=False).encode()) == {
            "a_long_name_one": text
        }


def test_more_fields_than_there_is_room_for_are_refused():
    many = msgspec.defstruct("Many", [(f"f{k}", str) for k in range(scan.MOST_FIELDS + 1)])
    with pytest.raises(ValueError, match="too many"):
        scan.fields(many)


def test_names_of_one_size_that_begin_alike_are_refused():
    alike = msgspec.defstruct("Alike", [("a_long_name_one", str), ("a_long_name_two", str)])
    with pytest.raises(ValueError, match="begin alike"):
        scan.fields(alike)


def by_msgspec(*arguments):
    """Leave every record to msgspec, as the scanner may."""
    return np.zeros(len(arguments[-1]), bool), np.empty((0, 4), np.int64)


def told(source, records, *, keyed, named):
    names = Names(Dictionary(), Dictionary(), Codes({"rider": 2})) if named else None
    found = decode(source, records, LATEST, 2, names, keyed=keyed)
    keys = [found.key(k) for k in range(len(found.keys))]
    codes = None if names is None else (dict(names.categories), names.categories.added, dict(names.origins))
    return keys, found.events.tolist(), found.payloads, found.bad, found.inviters, codes


@st.composite
def chunks(draw, struct):
    """Records of one source, most of them good."""
    found = []
    for text in draw(st.lists(objects(struct), max_size=6)):
        key = draw(st.sampled_from([b"u1"] * 6 + [b"u2", b"", None, "鞋子".encode()]))
        found.append(Record(len(found) * 3, AT, key, draw(st.sampled_from([text] * 9 + [None]))))
    return found


@pytest.mark.parametrize("source", sorted(SOURCES))
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_columns_are_the_same_whoever_reads_the_records(source, data):
    records = data.draw(chunks(SOURCES[source]))
    way = {"keyed": data.draw(st.booleans()), "named": data.draw(st.booleans())}
    found = told(source, records, **way)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "_scanned", by_msgspec)
        assert found == told(source, records, **way)


def click(offset, **more):
    return Record(offset, AT, b"u1", json.dumps({"user": "u1", "at": AT, "kind": "view"} | more).encode())


def test_new_names_get_their_codes_in_the_order_of_the_events_whoever_reads_them():
    names = Names(Dictionary(), Dictionary(), Codes())
    told_of = [("b", {}), ("a", {"deep": {}}), ("c", {}), ("a", {}), ("b", {"deep": {}})]
    records = [click(k, category=name, **more) for k, (name, more) in enumerate(told_of)]
    assert decode(CLICKS, records, LATEST, 2, names).events["category"].tolist() == [1, 2, 3, 2, 1]
    assert names.categories.added == ["b", "a", "c"]
    assert decode(CLICKS, records[::-1], LATEST, 2, names).events["category"].tolist() == [1, 2, 3, 2, 1]


def test_names_are_read_where_they_stand_however_many_there_are():
    names = Names(Dictionary(), Dictionary(), Codes({"rider": 2}))
    records = [click(k, category=f"category {k % 700}", source="鞋" * (k % 9), side="rider") for k in range(2000)]
    for _ in range(2):
        found = decode(CLICKS, records, LATEST, 2, names).events
        assert found["category"].tolist() == [k % 700 + 1 for k in range(2000)]
        assert found["origin"].tolist() == [k % 9 + 1 for k in range(2000)]
        assert set(found["side"].tolist()) == {2}


def test_the_scanner_itself_reads_what_is_usual(monkeypatch):
    def nothing(_):
        raise AssertionError("this was left to msgspec")

    monkeypatch.setitem(decoding.readers, CLICKS, nothing)
    found = decode(CLICKS, [click(0, category="c", inviter="u2"), click(1, points=3)], LATEST, 2)
    assert (len(found.events), found.inviters) == (2, {0: "u2"})


def test_without_keys_the_user_is_the_key():
    records = [r._replace(key=None) for r in (click(0), click(1, user="u2", deep=[]), click(2, user="ü3"))]
    found = decode(CLICKS, records, LATEST, 2, keyed=False)
    assert [found.key(k) for k in range(3)] == [b"u1", b"u2", "ü3".encode()]
    bad = decode(CLICKS, [click(0, user="\0")._replace(key=None)], LATEST, 2, keyed=False).bad
    assert [b.reason for b in bad] == ["reserved-key"]


def test_a_part_of_a_block_is_decoded_as_its_records_are():
    block = Block.of([click(k, category=f"c{k}", deep=[k]) if k % 3 else click(k) for k in range(20)])
    for part in (slice(5, 15), slice(1, 20, 2), slice(None, None, -1)):
        whole, some = decode(CLICKS, block[part], LATEST, 2), decode(CLICKS, list(block[part]), LATEST, 2)
        assert whole.events.tolist() == some.events.tolist()
        assert [whole.key(k) for k in range(len(whole.keys))] == [some.key(k) for k in range(len(some.keys))]
