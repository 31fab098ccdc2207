# ruff: noqa: ARG001, ARG002, N802  (aiosmtpd names its handlers and what they get)
from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import ssl

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult

from streams.channels.attempt import TRIPS_AFTER
from streams.channels.email import Email, Options
from tests.channels.vendor import AGAIN, BAD, DELIVERED, MESSAGE, PLAIN, REFUSED, UNASKED, UNKNOWN, Patience, ending

SENDER = "小店 <hello@shop.example>"
TO = "u1@example.com"


class Server:
    """A mail server that answers by scripts, the last answer of each for ever, and keeps what it took."""

    def __init__(self, rcpt=("250 OK",), data=("250 OK",), **options):
        self.rcpt, self.data = list(rcpt), list(data)
        self.asked, self.taken, self.connections = [], [], 0
        self.options = options

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        self.connections += 1
        return responses

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.asked.append(address)
        if address.startswith("gone"):
            return "550 5.1.1 <gone@example.com>: no such user"
        answer = _next(self.rcpt)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):
        answer = _next(self.data)
        if answer == "cut":
            server.transport.abort()
        elif answer.startswith("250"):
            self.taken.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return answer

    @contextlib.asynccontextmanager
    async def listening(self):
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(self, enable_SMTPUTF8=True, **self.options), "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            await server.wait_closed()


def _next(answers):
    return answers.pop(0) if len(answers) > 1 else answers[0]


def send(server, to=(TO,), message=MESSAGE, **options):
    """Send a message to one address after the other; return the receipts and the pauses that were made."""
    patience = Patience()
    options = {"host": "localhost", "security": "none", "sender": SENDER, "timeout_seconds": 5} | options

    async def run():
        async with server.listening() as port:
            channel = Email(
                Options(port=port, **options),
                wall=lambda: 1_700_000_000,
                pause=patience.pause,
                draw=lambda: 1,
                clock=patience.clock,
            )
            return [await channel.send(message, address) for address in to]

    return asyncio.run(run()), patience.pauses


def read(taken):
    return email.message_from_bytes(taken[2], policy=email.policy.default)


def test_a_text_and_a_page_with_picture_link_and_one_click_to_unsubscribe():
    server = Server()
    [receipt], _ = send(server, unsubscribe_text="退订")
    assert ending(receipt) == DELIVERED
    [taken] = server.taken
    assert taken[:2] == ("hello@shop.example", [TO])
    mail = read(taken)
    assert (mail["From"], mail["To"], mail["Subject"]) == (SENDER, TO, "我们想念你")
    assert mail["Date"] == "Tue, 14 Nov 2023 22:13:20 -0000"
    assert mail["List-Unsubscribe"] == f"<{MESSAGE.unsubscribe}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["X-Awaken-Decision"] == MESSAGE.decision
    text, page = mail.iter_parts()
    assert text.get_content().split() == ["Come", "back", "&", "see", MESSAGE.link, "退订:", MESSAGE.unsubscribe]
    page = page.get_content()
    assert "Come back &amp; see" in page
    assert f'<a href="{MESSAGE.link}"><img src="{MESSAGE.picture}"' in page
    assert f'<a href="{MESSAGE.unsubscribe}">退订</a>' in page


def test_what_a_message_has_not_leaves_no_trace():
    server = Server()
    send(server, message=PLAIN)
    mail = read(server.taken[0])
    assert mail["List-Unsubscribe"] is mail["List-Unsubscribe-Post"] is None
    text, page = mail.iter_parts()
    assert text.get_content().strip() == "Come back"
    assert "<a" not in page.get_content()
    assert "<img" not in page.get_content()


def test_the_message_id_is_the_decisions():
    server, other = Server(), Server()
    send(server, to=[TO, TO])
    send(other, message=type(PLAIN)("reactivation:t2", "u1", "reactivation", 1, "t", "b"))
    first, second = (read(taken)["Message-ID"] for taken in server.taken)
    assert first == second != read(other.taken[0])["Message-ID"]
    assert first.endswith("@shop.example>")


def test_a_long_address_to_unsubscribe_stays_in_one_piece():
    """Python folds a header that is too long into encoded words, in which no mail program looks for an address."""
    address = "https://push.example/preferences/%E7%94%A8?token=" + "a1b2c3" * 40
    server = Server()
    send(server, message=type(PLAIN)("r:" + "t" * 200, "u", "p", 1, "想" * 100, "b", unsubscribe=address))
    raw = server.taken[0][2]
    assert f"\r\nList-Unsubscribe: <{address}>\r\n".encode() in raw
    assert f"\r\nX-Awaken-Decision: r:{'t' * 200}\r\n".encode() in raw
    assert read(server.taken[0])["Subject"] == "想" * 100


def test_no_title_writes_a_header_of_its_own():
    server = Server()
    send(server, message=type(PLAIN)("d", "u", "p", 1, "Hello\r\nBcc: all@example.com", "b\r\n.\r\nQUIT"))
    mail = read(server.taken[0])
    assert (mail["Subject"], mail["Bcc"]) == ("Hello Bcc: all@example.com", None)
    text, _ = mail.iter_parts()
    assert text.get_content().splitlines()[:3] == ["b", ".", "QUIT"]


@pytest.mark.parametrize(
    "server",
    [Server(rcpt=["450 4.2.1 busy", "250 OK"]), Server(data=["451 4.7.1 greylisted", "250 OK"])],
    ids=["rcpt", "data"],
)
def test_what_is_temporary_is_tried_again(server):
    [receipt], pauses = send(server)
    assert (ending(receipt), len(pauses), len(server.taken)) == (AGAIN, 1, 1)


def test_a_mailbox_that_is_not_there_is_permanent_and_stops_no_other():
    server = Server()
    receipts, _ = send(server, to=[TO, *["gone@example.com"] * (TRIPS_AFTER + 1), "u2@example.com"])
    assert [ending(receipt) for receipt in receipts] == [DELIVERED, *[BAD] * (TRIPS_AFTER + 1), DELIVERED]
    assert [taken[1] for taken in server.taken] == [[TO], ["u2@example.com"]]
    assert receipts[1].detail == "RCPT 550 5.1.1"


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (Server(rcpt=["553 sorry"]), BAD),
        (Server(rcpt=["554 5.7.1 relay access denied"]), REFUSED),
        (Server(rcpt=["550 5.1.8 bad sender"]), REFUSED),
        (Server(data=["554 listed: 5.1.2.3"]), REFUSED),
        (Server(data=["554 5.7.1 looks like spam"]), REFUSED),
        (Server(data=["552 5.2.2 mailbox full"]), BAD),
    ],
    ids=["rcpt", "relay", "sender", "listed", "spam", "full"],
)
def test_what_is_refused_is_told_apart_by_whose_fault_it_is(server, expected):
    [receipt], _ = send(server)
    assert ending(receipt) == expected


@pytest.mark.parametrize(
    "address",
    ["", "u1", "a@b@c", "a@b.c,d@e.f", "a@b.c\r\nRCPT TO:<d@e.f>", "<a@b.c>", "a b@c.d", "用户@b.c"],
)
def test_what_is_no_single_address_is_never_asked_for(address):
    server = Server()
    [receipt], _ = send(server, to=[address])
    assert (ending(receipt), server.asked) == (UNASKED, [])


def test_a_mail_that_may_have_been_taken_is_not_sent_again():
    server = Server(data=["cut"])
    [receipt], _ = send(server)
    assert (ending(receipt), server.connections) == (UNKNOWN, 1)
    assert "might arrive twice" in receipt.detail


def test_a_server_that_is_not_there_is_tried_again():
    patience = Patience()
    channel = Email(Options(host="127.0.0.1", port=1, sender=SENDER), pause=patience.pause, draw=lambda: 0)
    receipt = asyncio.run(channel.send(MESSAGE, TO))
    assert (ending(receipt), len(patience.pauses)) == (("failed", 4, False, False), 3)
    assert TO not in receipt.detail


def test_a_server_without_encryption_gets_nothing_unless_that_is_set():
    server = Server()
    [receipt], _ = send(server, security="starttls")
    assert (receipt.outcome, receipt.permanent, server.taken) == ("failed", False, [])


@pytest.fixture
def certificate(monkeypatch, tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def authenticated(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"shop", b"s3cret"), handled=False)


def test_it_logs_in_over_starttls_and_a_wrong_password_is_our_fault(certificate):
    def server():
        return Server(
            tls_context=certificate, require_starttls=True, authenticator=authenticated, auth_required=True
        )  # fmt: skip

    [receipt], _ = send(good := server(), security="starttls", username="shop", password="s3cret")
    assert (ending(receipt), len(good.taken)) == (DELIVERED, 1)
    [receipt], _ = send(server(), security="starttls", username="shop", password="wrong")
    assert ending(receipt) == REFUSED
    assert "wrong" not in receipt.detail


def test_it_is_ready_with_a_server_and_a_sender():
    assert Options(host="h", sender="a@b.example").ready
    assert not Options(host="h").ready
    assert not Options(sender="a@b.example").ready
    assert Options().cost > 0
