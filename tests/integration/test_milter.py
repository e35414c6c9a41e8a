# SPDX-License-Identifier: ISC
"""Content filters: a scripted one at every step, with every answer, with
nonsense and with silence; smtpd alone, its owners our own."""
import struct
import threading

import pytest

from filters import (
    ACCEPT, CONNFAIL, CONTINUE, DISCARD, LEADING_SPACE, MUTE, NO, PROGRESS,
    REJECT, SHUTDOWN, SKIP, SKIPPED, TEMPFAIL, Filter, add_header,
    add_recipient, change_header, change_sender, delete_recipient,
    insert_header, lines, packet, quarantine, reply_code, replace_body,
    strings)
from smtpd_fakes import ANN, BOB, Smtpd
from suite import SECONDS

ONE = ["smtpd-processes 1", "spare-processes 1"]
MESSAGE = (b"From: x@elsewhere.test\r\nSubject:  two blanks\r\n"
           b"X-Long: one\r\n\ttwo\r\n\r\nhello\r\n..dot\r\n")


@pytest.fixture
def make_filter():
    made = []

    def make(*arguments, **options):
        made.append(Filter(*arguments, **options))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def make_smtpd():
    made = []

    def make(*filters, extra=(), **options):
        config = [f if isinstance(f, str) else f.line() for f in filters]
        made.append(Smtpd(extra=[*ONE, "mail-auth no", *config, *extra],
                          **options).start())
        return made[-1]
    yield make
    for service in made:
        service.close()


def header_of(message):
    return message.content.partition(b"\n\n")[0].decode("latin-1").split("\n")


def body_of(message):
    return message.content.partition(b"\n\n")[2]


# -- what it hears --

def test_it_hears_everything_in_order(make_filter, make_smtpd):
    f = make_filter()
    smtpd = make_smtpd(f)
    with smtpd.client() as c:
        c.ehlo()
        assert not f.talks  # nobody is bothered before MAIL
        c.envelope(ANN, BOB, parameters=" SIZE=120 BODY=8BITMIME")
        assert c.data(MESSAGE + b".\r\n") == 250, c.text
        assert c.command("QUIT") == 221
    f.wait("end")
    (talk,) = f.talks
    assert talk.letters == "OCHMRRTLLLNBEQend"
    assert talk.said("H") == [b"client.example\0"]
    assert talk.said("M") == [
        b"<x@elsewhere.test>\0SIZE=120\0BODY=8BITMIME\0"]
    assert talk.said("R") == [f"<{ANN}>\0".encode(), f"<{BOB}>\0".encode()]
    assert talk.headers == [("From", "x@elsewhere.test"),
                            ("Subject", " two blanks"),
                            ("X-Long", "one\n\ttwo")]
    assert talk.body == b"hello\r\n.dot\r\n"
    (connect,) = talk.said("C")
    name, family, port, address = struct.unpack("!8scH10s", connect)
    assert (name, family, address) == (b"unknown\0", b"4", b"127.0.0.1\0")
    assert port > 0
    (message,) = smtpd.queue.wait(1)
    assert talk.macros["C"]["j"] == "mail.example.test"
    assert talk.macros["C"]["{daemon_name}"] == "smtp"
    assert talk.macros["C"]["{daemon_port}"] == str(smtpd.ports["smtp"])
    assert talk.macros["C"]["{client_addr}"] == "127.0.0.1"
    assert talk.macros["C"]["{client_port}"] == str(port)
    assert talk.macros["C"]["_"] == "unknown [127.0.0.1]"
    assert talk.macros["C"]["v"].startswith("Postrider ")
    assert talk.macros["M"] == {
        "{mail_addr}": "x@elsewhere.test", "{mail_host}": "elsewhere.test",
        "{mail_mailer}": "smtp"}
    assert talk.macros["R"]["{rcpt_addr}"] == BOB
    assert talk.macros["R"]["{rcpt_mailer}"] == "local"
    assert talk.macros["T"] == talk.macros["E"] == {"i": message.id}


def test_steps_that_it_does_not_want_are_left_out(make_filter, make_smtpd):
    letters = {"connect": "C", "helo": "H", "mail": "M", "rcpt": "R",
               "data": "T", "headers": "L", "eoh": "N", "body": "B"}
    for step, letter in letters.items():
        f = make_filter(steps=NO[step])
        smtpd = make_smtpd(f)
        with smtpd.client() as c:
            c.ehlo()
            assert c.message(MESSAGE) == 250
        f.wait("end")
        assert f.talk.letters == "OCHMRTLLLNBEQend".replace(letter, ""), step


def test_it_need_not_answer_where_it_said_so(make_filter, make_smtpd):
    f = make_filter(steps=sum(MUTE.values()))
    smtpd = make_smtpd(f)
    with smtpd.client() as c:
        c.ehlo()
        assert c.message(MESSAGE) == 250
        assert c.command("FROB") == 500
    f.wait("end")
    assert f.talk.letters == "OCHMRTLLLNBEUQend"


def test_leading_space_and_skip(make_filter, make_smtpd):
    f = make_filter(steps=LEADING_SPACE | SKIP)
    f.on["B"] = [SKIPPED]
    f.on["E"] = [add_header("X-None", "none"), add_header("X-Two", "  two"),
                 CONTINUE]
    smtpd = make_smtpd(f)
    with smtpd.client() as c:
        c.ehlo()
        assert c.message(b"Subject:  x\r\nA:b\r\n\r\n" +
                         (b"y" * 70 + b"\r\n") * 3000) == 250
    assert f.talk.headers == [("Subject", "  x"), ("A", "b")]
    assert f.talk.letters.count("B") == 1
    (message,) = smtpd.queue.wait(1)
    assert header_of(message)[-2:] == ["X-None:none", "X-Two:  two"]


def test_it_names_the_macros_that_it_wants(make_filter, make_smtpd):
    f = make_filter(macros={0: "{if_name}, j", 2: "{client_ptr} v {nothing}",
                            5: "{auth_authen} {tls_version} {mail_addr}"})
    smtpd = make_smtpd(f)
    with smtpd.submission() as c:
        c.envelope(BOB, sender=ANN)
        assert c.data(b"From: ann@example.test\r\n\r\nx\r\n.\r\n") == 250
    macros = f.talk.macros
    assert macros["C"]["{if_name}"] == "mail.example.test"
    assert macros["C"]["{daemon_name}"] == "submission"
    assert macros["M"]["{client_ptr}"] == "unknown"
    assert macros["M"]["v"] == macros["C"]["v"]
    assert macros["M"]["{auth_type}"] == "PLAIN"
    assert macros["M"]["{auth_authen}"] == macros["M"]["{auth_author}"] == ANN
    assert macros["E"]["{auth_authen}"] == ANN
    assert macros["E"]["{mail_addr}"] == ANN
    assert "{tls_version}" not in macros["E"]


def test_a_filter_of_version_2(make_filter, make_smtpd):
    f = make_filter(version=2, actions=0x3f)
    smtpd = make_smtpd(f)
    with smtpd.client() as c:
        c.ehlo()
        assert c.message(MESSAGE) == 250
        assert c.command("FROB") == 500
    f.wait("end")
    assert f.talk.letters == "OCHMRLLLNBEQend"


def test_large_bodies_come_in_whole_chunks(make_filter, make_smtpd):
    f = make_filter()
    smtpd = make_smtpd(f)
    octets = b"".join(b"%07d " % n * 9 + b"\r\n" for n in range(20000))
    with smtpd.client() as c:
        c.ehlo()
        assert c.message(b"Subject: x\r\n\r\n" + octets) == 250
    assert f.talk.body == octets
    sizes = [len(chunk) for chunk in f.talk.said("B")]
    assert all(60000 < n <= 65535 for n in sizes[:-1]), sizes
    (message,) = smtpd.queue.wait(1)
    assert body_of(message) == octets.replace(b"\r\n", b"\n")
    assert int(message["wire"]) == len(
        message.content.replace(b"\n", b"\r\n"))


def test_a_long_header_is_cut_for_filters_alone(make_filter, make_smtpd):
    f = make_filter()
    smtpd = make_smtpd(f)
    folded = "X-Long:" + "".join(f" {n:060d}\r\n" for n in range(2000))[:-2]
    with smtpd.client() as c:
        c.ehlo()
        assert c.message(folded.encode() + b"\r\n\r\nx\r\n") == 250
    assert len(f.talk.said("L")[0]) <= 65534
    (message,) = smtpd.queue.wait(1)
    assert folded.replace("\r", "").encode() in message.content


def test_messages_of_a_session_share_its_connection(make_filter, make_smtpd):
    f = make_filter()
    smtpd = make_smtpd(f)
    with smtpd.client() as c:
        c.ehlo()
        assert c.message() == 250
        c.envelope()
        assert c.command("RSET") == 250
        c.envelope()
        assert c.command("EHLO other.example") == 250
        assert c.message() == 250
        c.command("QUIT")
    f.wait("end")
    assert [t.letters for t in f.talks] == [
        "OCHMRTLNBE" "MRA" "MRA" "HMRTLNBEQend"]


def test_a_session_that_breaks_off_is_told_to_it(make_filter, make_smtpd):
    f = make_filter()
    smtpd = make_smtpd(f)
    with smtpd.client() as c:
        c.ehlo()
        c.envelope()
        assert c.command("DATA") == 354
        c.send("Subject: x\r\n")
    f.wait("end")
    assert f.talk.letters == "OCHMRTAQend"
    assert smtpd.queue.messages == []


# -- what it answers --

STAGES = "CHMRTLNBE"
SHORT = "timeout=1s/1s/1s"


def envelope_and_data(c):
    """The code that the whole comes to, and where."""
    for line in (f"MAIL FROM:<x@elsewhere.test>", f"RCPT TO:<{ANN}>", "DATA"):
        code = c.command(line)
        if code not in (250, 354):
            return line[:4], code
    c.send(MESSAGE + b".\r\n")
    return "end", c.reply()


WHERE = {"C": "MAIL", "H": "MAIL", "M": "MAIL", "R": "RCPT", "T": "DATA"}
REFUSALS = [
    (REJECT, 550, "5.7.1", "refused by a content filter"),
    (TEMPFAIL, 451, "4.7.1", "a content filter cannot look at that now, "
                             "try again later"),
    (reply_code("554 5.7.1 no: 100%% spam"), 554, "5.7.1", "no: 100% spam"),
    (reply_code("452 4.2.2 full"), 452, "4.2.2", "full"),
    (reply_code("550 plain"), 550, "5.7.1", "plain"),
    (reply_code("550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three"),
     550, "5.7.1", "one two three"),
    (reply_code("550 5.7.1 evil\r\n250 2.0.0 ok"), 550, "5.7.1",
     "evil 2.0.0 ok"),
    (reply_code("550 5.7.1 \x07\x1b[2J\udcff".encode(
        errors="surrogateescape")), 550, "5.7.1", "??[2J?"),
    (reply_code("550 4.7.1 class"), 550, "5.7.1", "4.7.1 class"),
    (reply_code("550"), 550, "5.7.1", "refused by a filter"),
]


@pytest.mark.parametrize("stage", STAGES)
def test_refusals_at_each_stage(make_filter, make_smtpd, stage):
    f = make_filter()
    smtpd = make_smtpd(f)
    for answer, code, enhanced, text in REFUSALS:
        f.on = {stage: [answer]}
        with smtpd.client() as c:
            c.ehlo()
            where, got = envelope_and_data(c)
            assert (where, got) == (WHERE.get(stage, "end"), code)
            assert c.text == f"{code} {enhanced} {text}"
            f.on = {}
            c.command("RSET")
            assert c.message(MESSAGE) == 250, c.text
        (line,) = [l for l in lines(smtpd, "refused")
                   if l["reason"] == text.replace("\\", "\\\\")][-1:]
        assert line["dsn"] == enhanced and line["filter"] == f.address
    assert len(smtpd.queue.wait(len(REFUSALS))) == len(REFUSALS)


@pytest.mark.parametrize("answer", [SHUTDOWN, CONNFAIL,
                                    reply_code("421 4.7.0 away with you")])
@pytest.mark.parametrize("stage", "MRE")
def test_the_connection_is_closed_at_its_word(
        make_filter, make_smtpd, stage, answer):
    f = make_filter()
    f.on[stage] = [answer]
    smtpd = make_smtpd(f)
    with smtpd.client() as c:
        c.ehlo()
        assert envelope_and_data(c)[1] == 421
        assert c.is_closed()


@pytest.mark.parametrize("stage", STAGES)
def test_it_may_have_heard_enough(make_filter, make_smtpd, stage):
    f, behind = make_filter(), make_filter()
    f.on[stage] = [ACCEPT]
    smtpd = make_smtpd(f, behind)
    with smtpd.client() as c:
        c.ehlo()
        assert c.message(MESSAGE) == 250
        assert c.message(MESSAGE) == 250
        c.command("QUIT")
    f.wait("end")
    whole = "CHMRTLLLNBE"
    begun = whole[:whole.index(stage) + 1]
    again = "" if stage in "CH" else begun[2:]
    assert f.talk.letters == "O" + begun + again + "Qend"
    assert behind.talk.letters.startswith("OCHMRTLLLNBEMRTLLLNBE")


@pytest.mark.parametrize("stage", "MRTLNBE")
def test_discarded_mail_is_taken_and_gone(make_filter, make_smtpd, stage):
    f, behind = make_filter(), make_filter()
    f.on[stage] = [DISCARD]
    smtpd = make_smtpd(f, behind)
    with smtpd.client() as c:
        c.ehlo()
        assert envelope_and_data(c) == ("end", 250)
        f.on = {}
        assert c.message() == 250
    assert len(smtpd.queue.wait(1)) == smtpd.queue.settled() == 1
    assert smtpd.queue.aborted == 1
    (line,) = lines(smtpd, "discarded")
    assert line["filter"] == f.address and line["id"]
    assert line["from"] == "<x@elsewhere.test>"


def test_refused_recipients_are_theirs_alone(make_filter, make_smtpd):
    f = make_filter()
    f.on["R"] = [lambda talk: talk.send(
        REJECT if BOB.encode() in talk.said("R")[-1] else CONTINUE)]
    smtpd = make_smtpd(f)
    with smtpd.client() as c:
        c.ehlo()
        c.envelope(ANN)
        assert c.command(f"RCPT TO:<{BOB}>") == 550
        assert c.data(MESSAGE + b".\r\n") == 250
    (message,) = smtpd.queue.wait(1)
    assert message.recipients == [ANN]


def test_unknown_commands(make_filter, make_smtpd):
    f = make_filter()
    smtpd = make_smtpd(f)
    with smtpd.client() as c:
        c.ehlo()
        assert c.command("FROB x") == 500
        c.envelope()
        assert c.command("FROB x") == 500
        f.on["U"] = [reply_code("550 5.5.1 not you")]
        assert c.command("Frob y") == 550
        assert c.text == "550 5.5.1 not you"
    assert f.talk.said("U") == [b"FROB x\0", b"Frob y\0"]


def test_progress_is_no_answer(make_filter, make_smtpd):
    f = make_filter()
    for stage in STAGES:
        f.on[stage] = [PROGRESS, PROGRESS, CONTINUE]
    smtpd = make_smtpd(f)
    with smtpd.client() as c:
        c.ehlo()
        assert c.message(MESSAGE) == 250


@pytest.mark.parametrize("stage", "CHMRT")
def test_progress_has_an_end(make_filter, make_smtpd, stage):
    """Nobody is kept for ever by a filter that is always about to answer."""
    gone = threading.Event()

    def go_on(talk):
        talk.socket.settimeout(0.2)
        while not gone.is_set():
            talk.send(PROGRESS)
            try:
                if not talk.socket.recv(1):
                    return
            except TimeoutError:
                pass
    f = make_filter()
    f.on[stage] = [go_on]
    smtpd = make_smtpd(f.line(SHORT))
    try:
        with smtpd.client() as c:
            c.ehlo()
            assert envelope_and_data(c) == (WHERE[stage], 451)
    finally:
        gone.set()
    (line,) = lines(smtpd, "filter failed")
    assert line["reason"] == "it does not answer"


# -- what it changes --

def change(make_filter, make_smtpd, *changes, message=MESSAGE, client=None,
           **options):
    f = make_filter(**options)
    f.on["E"] = [*changes, CONTINUE]
    smtpd = make_smtpd(f)
    with (client(smtpd) if client else smtpd.client()) as c:
        if client is None:
            c.ehlo()
            assert c.message(message) == 250, c.text
        else:
            c.envelope(BOB, sender=ANN)
            message = message.replace(b"x@elsewhere.test", ANN.encode())
            assert c.data(message + b".\r\n") == 250, c.text
    (message,) = smtpd.queue.wait(1)
    return smtpd, message


def test_headers(make_filter, make_smtpd):
    smtpd, message = change(
        make_filter, make_smtpd,
        add_header("X-Last", "a"), add_header("X-Folded", "a\n\tb\r\n c"),
        insert_header(0, "X-Zero", "0"), insert_header(1, "X-One", "1"),
        insert_header(4, "X-Four", "4"), insert_header(99, "X-Far", "99"),
        change_header(1, "Subject", "another"),
        change_header(2, "X-Long", "added, there is no second"),
        change_header(1, "FROM", ""))
    header = header_of(message)
    assert header[0].startswith("Return-Path:")
    top = next(i for i, l in enumerate(header) if l.startswith("Received:"))
    while header[top + 1][0] == "\t":
        top += 1
    assert header[top + 1:] == [
        "X-One: 1", "X-Zero: 0", "X-Four: 4", "Subject: another",
        "X-Long: one", "\ttwo", "X-Last: a", "X-Folded: a", "\tb", " c",
        "X-Far: 99", "X-Long: added, there is no second"]
    assert body_of(message) == b"hello\n.dot\n"
    assert int(message["wire"]) == len(
        message.content.replace(b"\n", b"\r\n"))
    (line,) = lines(smtpd, "filtered")
    assert line["what"] == "header" and line["id"] == message.id


def test_no_value_becomes_another_header(make_filter, make_smtpd):
    """A8: nor the end of the header section."""
    _, message = change(
        make_filter, make_smtpd,
        add_header("X-A", "a\nBcc: evil@elsewhere.test\r\n\r\nbody\n\n"),
        add_header("X-B", "a\r\rb"))
    assert header_of(message)[-5:] == [
        "X-A: a", "\tBcc: evil@elsewhere.test", "\tbody", "X-B: a", "\tb"]
    assert body_of(message) == b"hello\n.dot\n"


def test_bodies(make_filter, make_smtpd):
    _, message = change(
        make_filter, make_smtpd, replace_body(b"one\r"),
        replace_body(b"\ntwo\nthree\r\r\n.\r\nfour \xff"))
    assert body_of(message) == b"one\ntwo\nthree\n\n.\nfour \xff\n"
    assert message["body"] == "8bitmime"
    assert int(message["wire"]) == len(
        message.content.replace(b"\n", b"\r\n"))


def test_an_empty_body(make_filter, make_smtpd):
    _, message = change(make_filter, make_smtpd, replace_body(b""))
    assert message.content.endswith(b"two\n\n")


def test_a_body_where_there_was_none(make_filter, make_smtpd):
    _, message = change(make_filter, make_smtpd, replace_body(b"new\r\n"),
                        message=b"Subject: x\r\n")
    assert message.content.endswith(b"Subject: x\n\nnew\n")


BIG = b"".join(b"%07d " % n * 9 + b"\r\n" for n in range(10000))


@pytest.mark.parametrize("before", ["small", "big"])
@pytest.mark.parametrize("after", ["small", "big"])
def test_bodies_beyond_memory(make_filter, make_smtpd, before, after):
    sizes = {"small": b"small\r\n", "big": BIG}
    new = sizes[after].swapcase().replace(b"1", b"one")
    _, message = change(
        make_filter, make_smtpd, *[
            replace_body(new[i:i + 65535]) for i in range(0, len(new), 65535)],
        message=b"Subject: x\r\n\r\n" + sizes[before])
    assert body_of(message) == new.replace(b"\r\n", b"\n")
    assert int(message["wire"]) == len(
        message.content.replace(b"\n", b"\r\n"))


def test_a_body_in_one_packet(make_filter, make_smtpd):
    """As rspamd has it, whatever its length."""
    _, message = change(make_filter, make_smtpd, replace_body(BIG))
    assert body_of(message) == BIG.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("last", [TEMPFAIL, "close", packet("?")])
@pytest.mark.parametrize("before", [b"small\r\n", BIG], ids=["small", "big"])
def test_what_it_does_not_end_is_not_done(
        make_filter, make_smtpd, last, before):
    f, behind = make_filter(), make_filter()
    f.on["E"] = [add_header("X-A", "a"), replace_body(BIG), replace_body(BIG),
                 quarantine("no"), add_recipient(f"<{BOB}>"), last]
    smtpd = make_smtpd(f.line("default=accept"), behind)
    with smtpd.client() as c:
        c.ehlo()
        code = c.message(b"Subject: x\r\n\r\n" + before)
        if last == TEMPFAIL:
            assert code == 451
            return
    (message,) = smtpd.queue.wait(1)
    assert header_of(message)[-1] == "Subject: x"
    assert body_of(message) == before.replace(b"\r\n", b"\n")
    assert "hold" not in message.attributes and message.recipients == [ANN]
    assert behind.talk.body == before
    (line,) = lines(smtpd, "filter failed")
    assert line["stage"] == "end" and line["id"] == message.id


def test_the_envelope(make_filter, make_smtpd):
    smtpd, message = change(
        make_filter, make_smtpd,
        change_sender("<other@elsewhere.test>", "SIZE=1"),
        add_recipient(f"<{BOB}>", "NOTIFY=NEVER"),
        add_recipient("<no-such@example.test>"),
        add_recipient("<foreign@remote.test>"), add_recipient("nonsense<>"),
        delete_recipient(f"<{ANN.upper()}>"))
    assert message["sender"] == "other@elsewhere.test"
    assert message.recipients == [BOB]
    assert message.asked[0] == {"notify": "never"}
    assert header_of(message)[:2] == [
        "Return-Path: <other@elsewhere.test>", f"Delivered-To: {BOB}"]
    assert [(l["what"], l["reason"]) for l in
            lines(smtpd, "change not made")] == [
        ("<no-such@example.test>", "no such user here"),
        ("<foreign@remote.test>", "relaying denied"),
        ("nonsense<>", "bad recipient address")]
    (line,) = lines(smtpd, "filtered")
    assert line["what"] == "sender recipients"


def test_the_null_sender(make_filter, make_smtpd):
    _, message = change(make_filter, make_smtpd, change_sender("<>"))
    assert message["sender"] == ""


@pytest.mark.parametrize("utf8", [True, False])
def test_a_sender_in_utf8(make_filter, make_smtpd, utf8):
    """Only where its client has asked for such mail."""
    f = make_filter()
    f.on["E"] = [change_sender("<\u00fc@elsewhere.test>"), CONTINUE]
    if not utf8:
        f.on["E"].insert(1, change_sender("<\u00e4@elsewhere.test> SMTPUTF8"))
    smtpd = make_smtpd(f)
    with smtpd.client() as c:
        c.ehlo()
        c.envelope(ANN, parameters=" SMTPUTF8" if utf8 else "")
        assert c.data(MESSAGE + b".\r\n") == 250
    (message,) = smtpd.queue.wait(1)
    assert message["sender"] == (
        "\u00fc@elsewhere.test" if utf8 else "x@elsewhere.test")
    assert message["utf8"] == str(int(utf8))


def test_who_may_relay_may_have_recipients_added_elsewhere(
        make_filter, make_smtpd):
    _, message = change(
        make_filter, make_smtpd, add_recipient("<foreign@remote.test>"),
        client=lambda smtpd: smtpd.submission())
    assert message.recipients == [BOB, "foreign@remote.test"]


def test_without_recipients_nothing_is_left(make_filter, make_smtpd):
    f = make_filter()
    f.on["E"] = [delete_recipient(f"<{ANN}>"), CONTINUE]
    smtpd = make_smtpd(f)
    with smtpd.client() as c:
        c.ehlo()
        assert c.message() == 250
    assert smtpd.queue.settled() == 0
    (line,) = lines(smtpd, "discarded")
    assert line["reason"] == "filters left no recipient"


def test_quarantine_holds(make_filter, make_smtpd):
    smtpd, message = change(make_filter, make_smtpd, quarantine("a virus?"))
    assert message["hold"] == "a virus?"
    assert lines(smtpd, "filtered")[0]["what"] == "hold"


@pytest.mark.parametrize("name, value, junk", [
    ("X-Spam-Flag", "YES", True), ("X-Spam", "Yes", True),
    ("x-spam-status", " Yes, score=9", True), ("X-Spam-Flag", "NO", False),
    ("X-Spam-Status", "No, score=1", False), ("X-Spam-Level", "***", False)])
def test_marks_of_spam(make_filter, make_smtpd, name, value, junk):
    _, message = change(make_filter, make_smtpd, add_header(name, value))
    assert message.attributes.get("junk") == ("filter" if junk else None)


def test_only_strangers_mail_is_marked_and_only_by_filters(
        make_filter, make_smtpd):
    _, message = change(
        make_filter, make_smtpd, add_header("X-Spam-Flag", "YES"),
        client=lambda smtpd: smtpd.submission())
    assert "junk" not in message.attributes
    _, message = change(
        make_filter, make_smtpd, add_header("X-Seen", "yes"),
        message=b"X-Spam: Yes\r\nX-Spam-Flag: YES\r\nSubject: x\r\n\r\nx\r\n")
    assert "junk" not in message.attributes
    assert b"X-Spam" not in message.content


def test_each_sees_what_those_before_it_made(make_filter, make_smtpd):
    one, two, three = make_filter(), make_filter(), make_filter()
    one.on["E"] = [add_header("X-One", "1"), replace_body(b"first\r\n"),
                   change_header(1, "Subject", "second"), CONTINUE]
    two.on["E"] = [change_header(1, "X-One", "changed"),
                   insert_header(1, "X-Two", "2"),
                   replace_body(b"second\r\n"), ACCEPT]
    smtpd = make_smtpd(one, two, three)
    with smtpd.client() as c:
        c.ehlo()
        assert c.message(b"Subject: first\r\n\r\nx\r\n") == 250
    assert two.talk.headers == [("Subject", "second"), ("X-One", "1")]
    assert two.talk.body == b"first\r\n"
    assert three.talk.headers == [("X-Two", "2"), ("Subject", "second"),
                                  ("X-One", "changed")]
    assert three.talk.body == b"second\r\n"
    (message,) = smtpd.queue.wait(1)
    assert header_of(message)[-3:] == [
        "X-Two: 2", "Subject: second", "X-One: changed"]


def test_the_first_refusal_ends_it_for_all(make_filter, make_smtpd):
    one, two, three = make_filter(), make_filter(), make_filter()
    two.on["R"] = [TEMPFAIL]
    smtpd = make_smtpd(one, two, three)
    with smtpd.client() as c:
        c.ehlo()
        assert c.command("MAIL FROM:<x@elsewhere.test>") == 250
        assert c.command(f"RCPT TO:<{ANN}>") == 451
        assert c.command("QUIT") == 221
    for f in (one, two, three):
        f.wait("end")
    assert one.talk.letters == two.talk.letters == "OCHMRAQend"
    assert three.talk.letters == "OCHMAQend"


# -- what was found of it is shown to them, and stays --

def test_our_word_is_shown_and_cannot_be_changed(make_filter):
    f, behind = make_filter(), make_filter()
    f.on["E"] = [change_header(1, "Authentication-Results", ""),
                 insert_header(1, "Authentication-Results", "mine; x=y"),
                 CONTINUE]
    smtpd = Smtpd(extra=[*ONE, f.line(), behind.line()]).start()
    try:
        with smtpd.client() as c:
            c.ehlo()
            assert c.message(
                b"From: x@elsewhere.test\r\n"
                b"Authentication-Results: mail.example.test; spf=pass\r\n"
                b"\r\nx\r\n") == 250, c.text
        (message,) = smtpd.queue.wait(1)
    finally:
        smtpd.close()
    assert [name for name, _ in f.talk.headers] == [
        "Authentication-Results", "From"]
    assert f.talk.headers[0][1].startswith("mail.example.test;")
    assert [value.split(";")[0] for _, value in behind.talk.headers] == [
        "mail.example.test", "mine", "x@elsewhere.test"]
    assert b"\nAuthentication-Results: mail.example.test;" in message.local
    assert b"spf=pass" not in message.content
    assert b"\nAuthentication-Results: mine; x=y\nFrom:" in message.outside
    assert message.outside.startswith(b"Received:")


# -- when it fails --

NONSENSE = [packet("?"), packet("h", strings("X", "y")), packet("b", b"x"),
            packet("y", strings("250 ok")), packet("y", strings("2")),
            packet("O", b"\0" * 12), b"\0\0\0\0c", b"\xff\xff\xff\xffc",
            packet("s"), packet("i", b"\0\0"), b"HTTP/1.1 400 Bad\r\n\r\n"]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("default", ["tempfail", "accept"])
def test_nonsense_costs_what_the_config_says(
        make_filter, make_smtpd, stage, default):
    f = make_filter()
    smtpd = make_smtpd(f.line(f"default={default}"))
    with smtpd.client() as c:
        c.ehlo()
        for answer in NONSENSE + ["close"]:
            if stage == "E" and answer in NONSENSE[1:3]:
                continue
            f.on = {stage: [answer, "close"]}
            where, code = envelope_and_data(c)
            if default == "accept":
                assert (where, code) == ("end", 250), (answer, c.text)
            else:
                assert (where, code) == (WHERE.get(stage, "end"), 451)
                assert c.enhanced == "4.7.1"
                c.command("RSET")
        f.on = {}
        assert c.message() == 250, c.text
    failed = lines(smtpd, "filter failed")
    assert len(failed) == len(NONSENSE) + 1 - 2 * (stage == "E")
    assert all(line["filter"] == f.address for line in failed)


@pytest.mark.parametrize("failing", ["RCPT", "unknown command"])
def test_who_has_failed_in_the_middle_is_missed(
        make_filter, make_smtpd, failing):
    """Nobody is rid of a filter by making it fail."""
    f = make_filter()
    smtpd = make_smtpd(f)
    with smtpd.client() as c:
        c.ehlo()
        if failing == "RCPT":
            f.on["R"] = ["close"]
            assert c.command("MAIL FROM:<x@elsewhere.test>") == 250
            assert c.command(f"RCPT TO:<{BOB}>") == 451
            assert c.command(f"RCPT TO:<{ANN}>") == 451
            assert c.command("DATA") == 503
        else:
            f.on["U"] = ["close"]
            c.envelope(ANN)
            assert c.command("FROB") == 500
            assert c.command(f"RCPT TO:<{BOB}>") == 451
            assert c.command("DATA") == 451
        f.on = {}
        c.command("RSET")
        assert c.message() == 250, c.text
    assert len(smtpd.queue.wait(1)) == 1
    assert len(lines(smtpd, "filter failed")) == 1


@pytest.mark.parametrize("stage", STAGES)
def test_two_answers_to_one_question(make_filter, make_smtpd, stage):
    """The second would be taken for the next one's answer."""
    f = make_filter()
    f.on[stage] = [CONTINUE + CONTINUE]
    if stage != "E":
        f.on["E"] = [REJECT]
    smtpd = make_smtpd(f)
    with smtpd.client() as c:
        c.ehlo()
        code = envelope_and_data(c)[1]
        assert code == (250 if stage == "E" else 451)
        c.command("RSET")
        f.on = {"E": [REJECT]}
        assert envelope_and_data(c) == ("end", 550)
    assert len(lines(smtpd, "filter failed")) == (stage != "E")


def test_one_that_is_started_anew_between_messages(make_filter, make_smtpd):
    f = make_filter()
    smtpd = make_smtpd(f)
    with smtpd.client() as c:
        c.ehlo()
        assert c.message() == 250
        f.talk.socket.shutdown(2)
        f.wait("end")
        assert c.message() == 250
    assert not lines(smtpd, "filter failed") and len(f.talks) == 2


AT_END = [packet("h", strings("X:", "y")), packet("h", strings("", "y")),
          packet("h", strings("X Y", "z")), packet("h", b"X\0"),
          packet("m", b"\0\0\0\1X"), packet("b", b"a\0b"), packet("+", b""),
          packet("q", strings("a", "b")),
          b"".join(add_header("X", "y" * 60000) for _ in range(20))]


@pytest.mark.parametrize("answer", AT_END, ids=lambda a: repr(a[:20]))
def test_nonsense_at_the_end(make_filter, make_smtpd, answer):
    f = make_filter()
    f.on["E"] = [add_header("X-Seen", "yes"), answer, CONTINUE]
    smtpd = make_smtpd(f.line("default=accept"))
    with smtpd.client() as c:
        c.ehlo()
        assert c.message() == 250, c.text
    (message,) = smtpd.queue.wait(1)
    if answer == packet("+", b""):
        assert lines(smtpd, "change not made")
        return
    assert b"X-Seen" not in message.content
    assert lines(smtpd, "filter failed")


def test_it_changes_only_what_it_asked_for(make_filter, make_smtpd):
    for answer in (add_header("X", "y"), insert_header(1, "X", "y"),
                   change_header(1, "Subject", "y"), replace_body(b"y"),
                   add_recipient(f"<{BOB}>"), add_recipient("<a@b>", ""),
                   delete_recipient(f"<{ANN}>"), quarantine("y"),
                   change_sender("<>")):
        f = make_filter(actions=0)
        f.on["E"] = [answer, CONTINUE]
        smtpd = make_smtpd(f)
        with smtpd.client() as c:
            c.ehlo()
            assert c.message() == 451, answer
        (line,) = lines(smtpd, "filter failed")
        assert line["reason"] == "it changes what it did not ask for"


def test_a_body_has_its_bound(make_filter, make_smtpd):
    f = make_filter()
    f.on["E"] = [replace_body(b"x" * 60 + b"\r\n") for _ in range(2000)]
    f.on["E"].append(CONTINUE)
    smtpd = make_smtpd(f, extra=["max-message-size 100K"])
    with smtpd.client() as c:
        c.ehlo()
        assert c.message() == 451
        f.on = {}
        assert c.message() == 250
    (line,) = lines(smtpd, "filter failed")
    assert line["reason"] == "a body of more than max-message-size"


@pytest.mark.parametrize("offer", [
    struct.pack("!III", 7, 0, 0), struct.pack("!III", 1, 0, 0),
    struct.pack("!III", 6, 0x200, 0), struct.pack("!III", 6, 0, 0x800),
    struct.pack("!II", 6, 0), struct.pack("!III", 6, 0, 0) + b"\0\0\0\1x",
    b"x" * 70000])
def test_bad_negotiations(make_filter, make_smtpd, offer):
    f = make_filter()
    f.on["O"] = [packet("O", offer)]
    smtpd = make_smtpd(f)
    with smtpd.client() as c:
        c.ehlo()
        assert c.command("MAIL FROM:<x@elsewhere.test>") == 451
        f.on = {}
        assert c.message() == 250




@pytest.mark.parametrize("stage", ["O", "M", "L", "E"])
def test_silence_ends_and_is_not_waited_for_again(
        make_filter, make_smtpd, stage):
    f = make_filter()
    f.on[stage] = ["silent"]
    smtpd = make_smtpd(f.line(SHORT))
    with smtpd.client() as c:
        c.ehlo()
        assert envelope_and_data(c)[1] == 451
        c.command("RSET")
        assert c.command("MAIL FROM:<x@elsewhere.test>") == 451
        assert c.enhanced == "4.7.1"
    assert len(f.talks) == 1
    (line,) = lines(smtpd, "filter failed")
    assert line["reason"] == "it does not answer"


def test_a_drip_is_silence(make_filter, make_smtpd):
    """An octet now and then of a long answer, until the other end is gone."""
    def drip(talk):
        talk.send(struct.pack("!I", 60000) + b"h")
        talk.socket.settimeout(0.05)
        while True:
            talk.send(b"x")
            try:
                if not talk.socket.recv(1):
                    return
            except TimeoutError:
                pass
    f = make_filter()
    f.on["E"] = [drip]
    smtpd = make_smtpd(f.line(SHORT, "default=accept"))
    with smtpd.client() as c:
        c.ehlo()
        assert c.message() == 250
    (line,) = lines(smtpd, "filter failed")
    assert line["reason"] == "it does not answer"


def test_who_does_not_read_is_silent(make_filter, make_smtpd):
    gone = threading.Event()
    f = make_filter(steps=MUTE["body"])
    f.on["N"] = [CONTINUE, lambda talk: gone.wait(SECONDS)]
    smtpd = make_smtpd(f.line(SHORT, "default=accept"))
    with smtpd.client() as c:
        c.ehlo()
        assert c.message(b"Subject: x\r\n\r\n" + BIG * 12) == 250
    gone.set()
    assert lines(smtpd, "filter failed")


@pytest.mark.parametrize("default, code", [("tempfail", 451),
                                           ("accept", 250)])
def test_one_that_is_down(make_filter, make_smtpd, default, code):
    f = make_filter()
    f.close()
    smtpd = make_smtpd(f, extra=[f"milter-default {default}"])
    with smtpd.client() as c:
        c.ehlo()
        for _ in range(2):
            assert c.command("MAIL FROM:<x@elsewhere.test>") == code
            c.command("RSET")
    (line,) = lines(smtpd, "filter failed")
    assert line["reason"] == "Connection refused"
    assert line["stage"] == "connect"


# -- whose mail --

def test_skipped_clients(make_filter, make_smtpd):
    f = make_filter()
    smtpd = make_smtpd(f.line("skip=authenticated"))
    with smtpd.submission() as c:
        assert c.message(b"From: ann@example.test\r\n\r\nx\r\n", BOB,
                         sender=ANN) == 250
    assert not f.talks
    with smtpd.client() as c:
        c.ehlo()
        assert c.message() == 250
    assert len(f.talks) == 1
    smtpd = make_smtpd(f, extra=["relay-from 127.0.0.1",
                                 "milter-skip relay-from"])
    with smtpd.client() as c:
        c.ehlo()
        assert c.message() == 250
    assert len(f.talks) == 1


def test_over_ipv6(make_filter, make_smtpd):
    f = make_filter(address="::1")
    smtpd = make_smtpd(f)
    with smtpd.client() as c:
        c.ehlo()
        assert c.message() == 250
    assert f.talk.letters.startswith("OCHMRTLNBE")


def test_the_disk_is_full_for_a_new_body(make_filter, make_smtpd):
    f = make_filter()
    f.on["E"] = [replace_body(BIG), CONTINUE]
    smtpd = make_smtpd(f)
    with smtpd.client() as c:
        c.ehlo()
        smtpd.queue.fault = ("scratch-fd", "full")
        assert c.message() == 452, c.text
        assert c.message() == 250
    assert smtpd.queue.fault is None
