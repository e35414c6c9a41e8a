# SPDX-License-Identifier: ISC
"""Mail that is suspect: who may say so, what queue keeps of it, and where it
lies in the end."""
import pytest

from queue_house import Closed, House

BOB = "bob@example.test"


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
