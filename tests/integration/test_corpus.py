# SPDX-License-Identifier: ISC
"""Mail as it really is: every message of the corpus goes in by SMTP and
comes out by POP3 byte for byte, but for the trace headers added on top, or
is refused for a reason that the RFC gives, or for a header section out of all
bounds."""
import os
import re

ANN = "ann@example.test"
TRACE = (b"return-path", b"delivered-to", b"received",
         b"authentication-results")
HEADER_MAX = 256 * 1024
LINE_MAX = 998  # without CRLF, RFC 5321 section 4.5.3.1.6


def corpus(shared):
    """(name, octets) of every message."""
    found = []
    top = os.path.join(shared, "corpus")
    for folder, _, names in os.walk(top):
        for name in names:
            if name in ("ORIGIN", "LICENSE", "README", "LICENSE.txt"):
                continue
            path = os.path.join(folder, name)
            with open(path, "rb") as f:
                found.append((os.path.relpath(path, top), f.read()))
    return sorted(found)


def on_the_wire(octets):
    """As a client would send it: CRLF, also where the file has LF only."""
    octets = re.sub(rb"(?<!\r)\n", b"\r\n", octets)
    return octets if octets.endswith(b"\r\n") else octets + b"\r\n"


def reasons(wire, line_max):
    """Why the RFCs let us refuse this; empty: it must be taken."""
    found = []
    if b"\r" in wire.replace(b"\r\n", b""):
        found.append("bare CR: RFC 5321 section 2.3.8")
    if b"\0" in wire:
        found.append("NUL: RFC 5322 section 3.5, RFC 6532")
    longest = max(len(line) for line in wire.split(b"\r\n"))
    if longest > line_max:
        found.append(f"line of {longest} octets: "
                     "RFC 5321 section 4.5.3.1.6")
    section = wire.partition(b"\r\n\r\n")[0].replace(b"\r\n", b"\n")
    if len(section) > HEADER_MAX:
        found.append(f"header section of {len(section)} octets: smtpd(8)")
    return found


def send(smtp, wire):
    """One transaction; (code, text) of the last reply."""
    code, text = smtp.docmd(f"MAIL FROM:<x@elsewhere.test> BODY=8BITMIME "
                            f"SIZE={len(wire)}")
    if code == 250:
        code, text = smtp.docmd(f"RCPT TO:<{ANN}>")
    if code == 250:
        code, text = smtp.docmd("DATA")
    if code != 354:
        return code, text
    smtp.send(re.sub(rb"(?m)^\.", b"..", wire) + b".\r\n")
    return smtp.getreply()


def test_corpus(make_suite, shared, report):
    # As long as RFC 5321 asks to be able to take, so that every over-long
    # line of the corpus is a case.
    suite = make_suite(users=[ANN], extra=["max-line-length 998",
                                           "mail-auth no"]).start()
    sent, refused = {}, []
    smtp = None
    for name, octets in corpus(shared):
        wire = on_the_wire(octets)
        if smtp is None:
            smtp = suite.smtp()
            smtp.ehlo()
        code, text = send(smtp, wire)
        why = reasons(wire, LINE_MAX)
        if why:
            assert code in (550, 552, 554, 500, 501), (name, code, text, why)
            refused.append(f"{name}: {code} {text.decode()} "
                           f"({'; '.join(why)})")
            smtp.close()
            smtp = None
            continue
        assert code == 250, (name, code, text)
        ident = re.search(rb"\b[0-9a-f]{16}\b", text).group().decode()
        sent[ident] = name, wire
    assert len(sent) > 400
    suite.wait_maildir(ANN, len(sent), seconds=60)
    compare(suite, sent)
    report(f"corpus: {len(sent)} messages came out as they went in, "
           f"{len(refused)} refused:")
    for line in refused:
        report("  " + line)


def kept(wire):
    """Without Authentication-Results of which nobody can say whose they are:
    such may claim to be ours, and are cut out."""
    section, empty, body = wire.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", section)
    return b"\r\n".join(
        f for f in fields
        if not re.match(rb"(?i)Authentication-Results\s*:", f) or
        re.match(rb"[^:]*:\s*[\w.-]+(\s+\d+)?\s*(;|\Z)", f)) + empty + body


def compare(suite, sent):
    pop3 = suite.pop3(ANN)
    assert pop3.stat()[0] == len(sent)
    sizes = {int(n): int(s) for n, s in
             (line.split() for line in pop3.list()[1])}
    seen = set()
    for line in pop3.uidl()[1]:
        number, uid = line.split()
        ident = re.search(rb"[0-9a-f]{16}", uid).group().decode()
        name, wire = sent[ident]
        got = retrieve(pop3, number.decode())
        assert len(got) == sizes[int(number)], name
        wire = kept(wire)
        assert got.endswith(wire), name
        added = got[:len(got) - len(wire)]
        assert added.endswith(b"\r\n"), name
        for header in re.sub(rb"\r\n[ \t]", b" ", added).split(b"\r\n")[:-1]:
            assert header.split(b":")[0].lower() in TRACE, (name, header)
        seen.add(ident)
    assert seen == set(sent)
    pop3.quit()


def retrieve(pop3, number):
    """RETR with its own idea of line ends: poplib's would hide ours."""
    pop3.sock.sendall(f"RETR {number}\r\n".encode())
    assert pop3.file.readline().startswith(b"+OK")
    content = bytearray()
    while True:
        line = pop3.file.readline()
        assert line.endswith(b"\r\n")
        if line == b".\r\n":
            return bytes(content)
        content += line[1:] if line.startswith(b".") else line


def test_lines_up_to_the_limit(suite):
    """RFC 5321 section 4.5.3.1.6: 1000 octets with CRLF must be taken."""
    with suite.smtp() as smtp:
        smtp.ehlo()
        for fill in (b"x" * 998, b"." + b"x" * 997):
            code, text = send(smtp, b"Subject: x\r\n\r\n" + fill + b"\r\n")
            assert code == 250, text
    suite.wait_maildir(ANN, 2)


def test_corpus_is_judged(make_suite, shared, report):
    """Taken, or refused for good for what is in its header: nothing in a
    message makes its judgement fail."""
    suite = make_suite(users=[ANN], extra=["max-errors 1000"]).start()
    counts = {}
    for name, octets in corpus(shared):
        wire = on_the_wire(octets)
        if reasons(wire, LINE_MAX):
            continue
        with suite.smtp() as smtp:
            smtp.ehlo()
            code, text = send(smtp, wire)
        assert code == 250 or (
            code == 550 and text.startswith(b"5.7.1 ")), (name, code, text)
        counts[code] = counts.get(code, 0) + 1
    suite.wait_maildir(ANN, counts[250], seconds=60)
    assert "worker crashed" not in suite.log_text()
    report(f"corpus: {counts[250]} messages judged and taken, "
           f"{counts.get(550, 0)} refused for their From")
