# SPDX-License-Identifier: ISC
"""Mail that is suspect: who may say so, what queue keeps of it, and where it
lies in the end."""
import os
import poplib
import pwd
import smtplib
import stat

import pytest

from dnsserver import dns  # noqa: F401
from internal import Peer, Service, record
from queue_house import Closed, House
from suite import Suite, maildir_messages
from test_mailbox_delivery import (
    ID, deliver, maildir, plant_fifo, plant_file, plant_symlink, spool_file)
from test_mailbox_session import Session, system_user  # noqa: F401

ANN, BOB = "ann@example.test", "bob@example.test"


@pytest.fixture
def house():
    with House("junk folder") as house:
        house.route(BOB, "mailbox", BOB)
        yield house


def test_what_smtpd_says_goes_on_to_mailbox(house):
    for client in house.client(), house.login(BOB):
        ident = client.send("x@remote.test", [BOB], b"Subject: x\n\n",
                            junk="dmarc-2")
        delivery = house.delivery()
        assert delivery.attributes["junk"] == "folder"
        delivery.answer()
        house.wait_log("queued", id=ident)
        (line,) = house.log_lines("queued", id=ident)
        assert line["junk"] == "dmarc-2"
    house.send("x@remote.test", [BOB])
    delivery = house.delivery()
    assert "junk" not in delivery.attributes
    delivery.answer()
    house.wait_empty()


def test_it_is_known_after_a_restart_and_goes_where_the_config_says(house):
    house.client().send("x@remote.test", [BOB], b"Subject: x\n\n",
                        junk="dmarc")
    assert house.delivery().attributes["junk"] == "folder"
    house.kill()
    house.extra = ["junk inbox"]
    house.write_config()
    house.start()
    delivery = house.delivery()
    assert delivery.again and delivery.attributes["junk"] == "inbox"
    delivery.answer()
    house.wait_empty()


def test_a_reload_turns_it_elsewhere(house):
    house.extra = []
    house.reload("junk inbox")
    house.client().send("x@remote.test", [BOB], b"Subject: x\n\n",
                        junk="dmarc")
    delivery = house.delivery()
    assert delivery.attributes["junk"] == "inbox"
    delivery.answer()
    house.wait_empty()


def test_only_smtpd_may_judge_and_in_one_word(house):
    for role, word in (("public", "dmarc"), ("smtpd", ""), ("smtpd", "a b"),
                       ("smtpd", "Dmarc"), ("smtpd", "a\nb"),
                       ("smtpd", "x" * 33)):
        client = house.client(role)
        client.open()
        client.write(b"Subject: x\n\n")
        client.close_writer()
        with pytest.raises((Closed, ConnectionError)):
            client.commit("x@remote.test", [BOB], junk=word)
            client.hear()
        client.close()
    assert house.spooled("envelope") == []


# -- into the Maildir --

@pytest.fixture
def mailbox():
    with Service("mailbox", ["role-userdb", "role-queue"],
                 root=False) as service:
        yield service


@pytest.fixture
def queue(mailbox):
    with mailbox.connect("role-queue") as peer:
        peer.send_octets(record("virtual-deliver"))
        yield peer


def in_inbox(house, part="new"):
    return sorted(os.listdir(os.path.join(maildir(house), part)))


def in_junk(house, part="new"):
    return in_inbox(house, os.path.join(".Junk", part))


def test_the_folder_is_made_when_it_is_needed(mailbox, queue):
    path = spool_file(mailbox)
    answer = deliver(queue, path, junk="inbox")
    assert answer["verdict"] == "ok" and answer.get("folder") is None
    assert not os.path.exists(os.path.join(maildir(mailbox), ".Junk"))
    answer = deliver(queue, path, id="b" * 16, junk="folder")
    assert (answer["verdict"], answer["folder"]) == ("ok", "Junk")
    top = os.path.join(maildir(mailbox), ".Junk")
    assert sorted(os.listdir(top)) == ["cur", "maildirfolder", "new", "tmp"]
    for name in ("", "cur", "new", "tmp"):
        mode = os.stat(os.path.join(top, name)).st_mode
        assert stat.S_IMODE(mode) == 0o700
    [name] = in_junk(mailbox)
    assert "b" * 16 in name
    assert os.path.samefile(path, os.path.join(top, "new", name))
    assert len(in_inbox(mailbox)) == 1


@pytest.mark.parametrize("before", ["inbox", "folder"])
@pytest.mark.parametrize("now", ["inbox", "folder"])
@pytest.mark.parametrize("move", [("new", ""), ("cur", ":2,S"), ("tmp", "")])
def test_again_it_is_looked_for_in_both(mailbox, queue, before, now, move):
    """The config said otherwise then, or somebody has moved it, or read and
    deleted it."""
    path = spool_file(mailbox)
    deliver(queue, path, junk="folder", id="c" * 16)  # so there is one
    deliver(queue, path, junk=before)
    top = os.path.join(maildir(mailbox), ".Junk" if before == "folder" else "")
    [name] = [n for n in os.listdir(os.path.join(top, "new")) if ID in n]
    os.rename(os.path.join(top, "new", name),
              os.path.join(top, move[0], name + move[1]))
    links = os.stat(path).st_nlink
    answer = deliver(queue, path, junk=now, again=1)
    assert answer["verdict"] == "ok"
    assert answer.get("folder") == ("Junk" if before == "folder" else None)
    assert os.stat(path).st_nlink == links


def test_again_what_is_nowhere_comes(mailbox, queue):
    path = spool_file(mailbox)
    for junk, there in (("inbox", in_inbox), ("folder", in_junk)):
        answer = deliver(queue, path, junk=junk, again=1, id=junk)
        assert answer["verdict"] == "ok"
        assert len(there(mailbox)) == 1


@pytest.mark.parametrize("plant", [plant_symlink, plant_fifo, plant_file])
@pytest.mark.parametrize("where", ["", "new"])
def test_planted_junk_is_a_temporary_failure(mailbox, queue, plant, where):
    path = spool_file(mailbox)
    deliver(queue, path, id="f" * 16)
    top = os.path.join(maildir(mailbox), ".Junk")
    if where:
        os.mkdir(top)
    plant(os.path.join(top, where).rstrip("/"), mailbox)
    if mailbox.user and where:
        os.chown(top, mailbox.user.pw_uid, mailbox.user.pw_gid)
    assert deliver(queue, path, junk="folder")["verdict"] == "mailbox-busy"
    if plant is plant_symlink:
        assert os.listdir(mailbox.path("elsewhere", "new")) == []
    # The inbox is as good as ever: nothing of ours lies behind a link.
    answer = deliver(queue, path, id="e" * 16, junk="inbox", again=1)
    assert answer["verdict"] == "ok" and answer.get("folder") is None
    with Session(mailbox, kind="virtual-junk") as session:
        assert session.greeting.verb == "refused"
        assert session.greeting["verdict"] == "mailbox-busy"


@pytest.mark.parametrize("word", ["", "trash", "Folder"])
def test_no_other_folder_can_be_named(mailbox, queue, word):
    path = spool_file(mailbox)
    assert deliver(queue, path, junk=word) is None
    assert os.listdir(mailbox.mail) == []


# -- a session on it --

def test_a_session_has_that_folder_alone(mailbox, queue):
    path = spool_file(mailbox)
    deliver(queue, path, id="a" * 16)
    deliver(queue, path, id="b" * 16, junk="folder")
    with Session(mailbox, kind="virtual-junk") as junk:
        assert junk.greeting["count"] == "1"
        [(_, uidl)] = junk.list()
        assert "b" * 16 in uidl
        # The inbox is another maildrop, with a lock of its own.
        with Session(mailbox) as inbox:
            assert inbox.greeting["count"] == "1"
        with Session(mailbox, kind="virtual-junk") as second:
            assert second.greeting["reason"] == "in-use"
        junk.peer.send("delete", n=1)
        assert junk.commit() == (1, 0)
    # The queue may come back to it, whatever the config says by then.
    assert in_junk(mailbox) == [] and len(in_junk(mailbox, "tmp")) == 1
    for now in "inbox", "folder":
        assert deliver(queue, path, id="b" * 16, junk=now,
                       again=1)["folder"] == "Junk"
    assert in_junk(mailbox) == [] and len(in_inbox(mailbox)) == 1


def test_what_is_not_there_is_empty_and_is_not_made(mailbox):
    with Session(mailbox, kind="virtual-junk") as session:
        assert (session.greeting["count"], session.greeting["octets"]) == (
            "0", "0")
        assert session.list() == []
        assert session.commit() == (0, 0)
    assert not os.path.exists(os.path.join(maildir(mailbox), ".Junk"))


# -- the whole house --

class Smtpd(Peer):
    """What smtpd says to queue of a message that it has judged."""

    @classmethod
    def of(cls, suite):
        path = os.path.join(suite.run_dir, "smtpd", "queue")
        account = suite.user
        if suite.root:
            account = pwd.getpwnam("postrider-smtpd")
        if account is None:
            return cls.connect(path)
        mine = os.getegid()
        os.setegid(account.pw_gid)
        try:
            return cls.connect(path, account.pw_uid)
        finally:
            os.setegid(mine)

    def commit(self, to, text=b"Subject: x\n\nbuy\n", junk="dmarc",
               sender="x@elsewhere.test"):
        opened = self.call("open")
        writer, reader = opened.fds
        os.write(writer, text)
        os.close(writer)
        self.send("commit", id=opened["id"], sender=sender, start=0,
                  wire=len(text) + text.count(b"\n"), body="7bit", utf8=0,
                  client="c", helo="h", protocol="ESMTP", junk=junk)
        self.send("recipient", address=to)
        self.send("end", count=1)
        [envelope] = self.receive().fds
        for fd in reader, envelope:
            os.fsync(fd)
            os.close(fd)
        self.send("synced")
        return opened["id"]


def junk_of(suite, address=ANN):
    return os.path.join(suite.maildir(address), ".Junk")


def pop3(suite, user, password):
    client = poplib.POP3("127.0.0.1", suite.ports["pop3"], timeout=20)
    try:
        client.user(user)
        client.pass_(password)
    except poplib.error_proto:
        client.close()
        raise
    return client


def subjects(client):
    found = [line for i in range(client.stat()[0])
             for line in client.retr(i + 1)[1] if line.startswith(b"Subject")]
    client.quit()
    return found


def test_by_the_config_and_by_pop3():
    with Suite(users=[ANN]) as suite, Smtpd.of(suite) as smtpd:
        smtpd.commit(ANN, b"Subject: one\n\n")
        suite.wait_maildir(ANN, 1)
        password = suite.passwords[ANN]
        assert subjects(pop3(suite, "ann+junk", password)) == []
        assert not os.path.exists(junk_of(suite))
        suite.write_config("junk folder")
        suite.reload()
        ident = smtpd.commit(ANN, b"Subject: two\n\n")
        line = suite.wait_log(f"delivered id={ident}")
        assert line["folder"] == "Junk"
        [_] = maildir_messages(junk_of(suite))
        for user in "ann+Junk@example.test", "ANN+junk", "Ann+JUNK":
            assert subjects(pop3(suite, user, password)) == [b"Subject: two"]
        for user in "ann+junk2", "ann+spam", "ann+junk+x", "+junk", "ann+":
            with pytest.raises(poplib.error_proto):
                pop3(suite, user, password)
        with pytest.raises(poplib.error_proto):
            pop3(suite, "ann+junk", "wrong")
        # Mail is sent by his own name alone.
        with pytest.raises(smtplib.SMTPAuthenticationError):
            suite.smtp("submission").login("ann+junk", password)
        assert subjects(suite.pop3(ANN)) == [b"Subject: one"]
        suite.extra[-1] = "junk inbox"
        suite.reload()
        smtpd.commit(ANN, b"Subject: three\n\n")
        suite.wait_maildir(ANN, 2)
        assert len(maildir_messages(junk_of(suite))) == 1
        # What is no junk has nothing to do with it.
        suite.extra[-1] = "junk folder"
        suite.reload()
        suite.sendmail(ANN, message="Subject: four\n\n")
        suite.wait_maildir(ANN, 3)


def test_from_the_judgement_to_the_folder(make_suite, dns):
    dns.add_zone("test", "elsewhere A 127.0.0.9\n"
                 '_dmarc.elsewhere TXT "v=DMARC1; p=quarantine"').start()
    suite = make_suite(users=[ANN], dns_server=dns.address,
                       extra=["junk folder"])
    suite.start()
    for author, folder in (("elsewhere", "Junk"), ("harmless", None)):
        with suite.smtp() as client:
            client.sendmail(
                "x@elsewhere.test", [ANN],
                f"From: x@{author}.test\r\nSubject: {author}\r\n\r\n")
        line = suite.wait_log(lambda li: li.text.count(" queued ")
                              and "x@elsewhere.test" in li["from"]
                              and (li.get("junk") == "dmarc") == bool(folder))
        line = suite.wait_log(f"delivered id={line['id']}")
        assert line.get("folder") == folder
    password = suite.passwords[ANN]
    assert subjects(pop3(suite, "ann+Junk", password)) == [
        b"Subject: elsewhere"]
    assert subjects(pop3(suite, "ann", password)) == [b"Subject: harmless"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_system_user_has_one_too(system_user):
    login = system_user.pw_name
    top = os.path.join(system_user.pw_dir, "Maildir", ".Junk")
    with Suite(extra=["junk folder"]) as suite, Smtpd.of(suite) as smtpd:
        address = f"{login}@example.test"
        suite.user_tool("add", "--system", "--password-stdin", address,
                        input="secret\n")
        ident = smtpd.commit(address, b"Subject: one\n\n")
        assert suite.wait_log(f"delivered id={ident}")["folder"] == "Junk"
        assert os.stat(top).st_uid == system_user.pw_uid
        assert sorted(os.listdir(top)) == ["cur", "maildirfolder", "new",
                                           "tmp"]
        client = pop3(suite, f"{login}+junk", "secret")
        assert subjects(client) == [b"Subject: one"]
        assert subjects(pop3(suite, login, "secret")) == []


def test_killed_at_any_moment_nothing_is_doubled():
    """And the config changes in between."""
    with Suite(users=[ANN], extra=["junk folder"]) as suite:
        with Smtpd.of(suite) as smtpd:
            idents = {smtpd.commit(ANN) for _ in range(40)}
        suite.wait_log("delivered id=")
        suite.kill_all()
        suite.extra = ["junk inbox"]
        suite.start()
        suite.wait_queue_empty()
        names = [os.path.basename(path) for path in
                 suite.messages(ANN) + maildir_messages(junk_of(suite))]
        assert sorted(n.split("_")[1][:16] for n in names) == sorted(idents)
