# SPDX-License-Identifier: ISC
"""A small site's traffic on port 25, as test_day.py replays it: bots of many
kinds from a network of loopback addresses each, and good mail servers, of
which some have whole pools of them.  All in one event loop."""
import asyncio
import contextlib
import random

HOST = "127.0.0.1"
SECONDS = 60
PATIENCE = 15  # of a bot that tries four times, three seconds apart


class Over(Exception):
    """The server hung up, or refused for good."""


class Talk:
    """A client's side of one SMTP session."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port, source):
        return cls(*await asyncio.wait_for(asyncio.open_connection(
            HOST, port, local_addr=(source, 0)), SECONDS))

    async def reply(self):
        while True:
            line = await asyncio.wait_for(self.reader.readline(), SECONDS)
            if not line:
                raise Over
            if line[3:4] != b"-":
                return int(line[:3])

    def write(self, octets):
        self.writer.write(octets.encode() if isinstance(octets, str)
                          else octets)

    async def say(self, line):
        self.write(line + "\r\n")
        await self.writer.drain()
        return await self.reply()

    async def close(self):
        self.writer.close()
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await asyncio.wait_for(self.writer.wait_closed(), 5)


GONE = (Over, OSError, asyncio.TimeoutError, asyncio.IncompleteReadError,
        ValueError)


class Mail:
    """One message, and what became of each of its recipients."""

    def __init__(self, sender, recipients, message, helo, pace=0):
        self.sender, self.recipients = sender, list(recipients)
        self.message, self.helo, self.pace = message, helo, pace
        self.pending = list(recipients)
        self.refused = {}  # recipient: code
        self.said = []

    async def try_once(self, port, source):
        talk = await Talk.open(port, source)
        try:
            await self._transact(talk)
        finally:
            await talk.close()

    async def _transact(self, talk):
        if await talk.reply() != 220 or await talk.say(
                f"EHLO {self.helo}") != 250:
            return
        code = await talk.say(f"MAIL FROM:<{self.sender}>")
        self.said.append(code)
        if code >= 500:
            self._give_up(self.pending, code)
        if code != 250:
            return
        taken = []
        for recipient in self.pending:
            code = await talk.say(f"RCPT TO:<{recipient}>")
            self.said.append(code)
            if code == 250:
                taken.append(recipient)
            elif code >= 500:
                self._give_up([recipient], code)
        if taken and await talk.say("DATA") == 354:
            await self._send(talk)
            code = await talk.reply()
            self.said.append(code)
            if code == 250:
                self._done(taken)
            elif code >= 500:
                self._give_up(taken, code)
        await talk.say("QUIT")

    async def _send(self, talk):
        for line in self.message.splitlines(keepends=True):
            talk.write(line)
            if self.pace:
                await talk.writer.drain()
                await asyncio.sleep(self.pace)
        talk.write(".\r\n")
        await talk.writer.drain()

    def _done(self, recipients):
        self.pending = [r for r in self.pending if r not in recipients]

    def _give_up(self, recipients, code):
        recipients = list(recipients)
        self.refused.update((r, code) for r in recipients)
        self._done(recipients)

    async def send(self, port, sources, tries, pause):
        """As a mail server: try until it is taken or refused."""
        for n in range(tries):
            if n:
                await asyncio.sleep(pause)
            with contextlib.suppress(*GONE):
                await self.try_once(port, sources[n % len(sources)])
            if not self.pending:
                return


def message(sender, to, token, body="hello", author=None):
    return (f"From: {author or sender}\r\nTo: {to}\r\nSubject: {token}\r\n"
            f"Message-ID: <{token}@{(author or sender).partition('@')[2]}>\r\n"
            f"Date: Mon, 30 Nov 2026 12:00:00 +0000\r\n\r\n{body}\r\n")


# -- bots --

class Bot:
    """A number, an address in a network of its own, somebody to annoy."""

    listed = False

    def __init__(self, number, day):
        self.number, self.day = number, day
        self.kind = type(self).__name__.lower()
        self.address = day.bot_address(number, self.listed)
        self.victim = random.choice(day.users)
        self.token = f"bad-{self.kind}-{number}"
        self.sender = f"x{number}@throwaway{number % 20}.test"

    def mail(self, recipients=None, sender=None, author=None, **more):
        sender = self.sender if sender is None else sender
        return Mail(sender, recipients or [self.victim],
                    message(sender or "mailer-daemon@bot.test", self.victim,
                            self.token, author=author),
                    f"host{self.number}.bot.test", **more)

    async def send(self, mail, tries=1, pause=3):
        await mail.send(self.day.port, [self.address], tries, pause)

    async def open(self):
        return await Talk.open(self.day.port, self.address)


class Hasty(Bot):
    """Comes again, and never listens."""

    async def run(self):
        for n in range(3):
            await asyncio.sleep(3 if n else 0)
            with contextlib.suppress(*GONE):
                await self.try_once()


class TalksFirst(Hasty):
    async def try_once(self):
        talk = await self.open()
        talk.write("EHLO bot.test\r\n")
        with contextlib.suppress(*GONE):
            await talk.reply()
            for line in (f"MAIL FROM:<{self.sender}>",
                         f"RCPT TO:<{self.victim}>", "DATA"):
                await talk.say(line)
            await talk.say(message(self.sender, self.victim, self.token) + ".")
        await talk.close()


class Once(Bot):
    """Fires and forgets."""

    async def run(self):
        await self.send(self.mail())


class ListedOnce(Once):
    listed = True


class ListedPatient(Bot):
    listed = True

    async def run(self):
        await self.send(self.mail(), tries=4)


class Forger(Bot):
    """Waits and tries again, in the name of a bank."""

    async def run(self):
        await self.send(self.mail(sender=f"info{self.number}@bank.test"),
                        tries=4)


class AuthorForger(Bot):
    """The same in From alone."""

    async def run(self):
        await self.send(self.mail(author="info@bank.test"), tries=4)


class Colleague(Bot):
    """Says it is one of ours."""

    async def run(self):
        await self.send(self.mail(sender=self.day.users[0]), tries=4)


class NoDomain(Bot):
    async def run(self):
        await self.send(self.mail(sender=f"x@nowhere{self.number}.test"),
                        tries=4)


class OurName(Bot):
    async def run(self):
        mail = self.mail()
        mail.helo = self.day.hostname
        await self.send(mail, tries=4)


class Harvester(Bot):
    async def run(self):
        names = [f"{name}{random.randrange(1000)}@{self.day.domain}"
                 for name in ("info", "sales", "bob", "kim", "jo", "li")]
        await self.send(self.mail(names * 6 + [self.victim]))


class Bomber(Bot):
    """As many messages to one mailbox as can be."""

    async def run(self):
        await asyncio.gather(*(self.send(self.mail()) for _ in range(4)))


class Idle(Bot):
    """Sits there; some say an octet now and then."""

    async def run(self):
        talk = await self.open()
        with contextlib.suppress(*GONE):
            for octet in f"EHLO {'x' * 30}":
                await asyncio.sleep(self.day.span / 40)
                if self.number % 2:
                    talk.write(octet)
                    await talk.writer.drain()
                if talk.reader.at_eof():
                    break
        await talk.close()


class Browser(Bot):
    async def run(self):
        talk = await self.open()
        talk.write(random.choice([
            b"GET / HTTP/1.1\r\nHost: mail\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 500,
            b"\x00\x01\x02\xff" * 100]))
        with contextlib.suppress(*GONE):
            while await talk.reader.read(4096):
                pass
        await talk.close()


class Relay(Bot):
    async def run(self):
        domain = self.day.domain
        await self.send(self.mail([
            f"x%relayed.test@{domain}", f"@{domain}:x@relayed.test",
            "x@relayed.test", f'"x@relayed.test"@{domain}',
            f"relayed.test!x@{domain}"]), tries=3)


class Pipeliner(Hasty):
    """All in one piece, when it is greeted."""

    async def try_once(self):
        talk = await self.open()
        with contextlib.suppress(*GONE):
            await talk.reply()
            talk.write(f"EHLO bot.test\r\nMAIL FROM:<{self.sender}>\r\n"
                       f"RCPT TO:<{self.victim}>\r\nDATA\r\n" +
                       message(self.sender, self.victim, self.token) +
                       ".\r\nQUIT\r\n")
            while await talk.reader.read(4096):
                pass
        await talk.close()


class Backscatter(Bot):
    """A report of a failure, to many."""

    async def run(self):
        await self.send(self.mail(self.day.users, sender=""))


class Infected(Bot):
    """As patient as a mail server, and says who it is: for a filter."""

    body = "a virus"

    async def run(self):
        mail = self.mail()
        mail.message = message(self.sender, self.victim, self.token,
                               body=self.body)
        await self.send(mail, tries=4)


class Spammer(Infected):
    """Likewise; the filter is not so sure."""

    body = "spam"


KINDS = {TalksFirst: 14, Once: 30, ListedOnce: 12, ListedPatient: 10,
         Forger: 6, AuthorForger: 4, Colleague: 3, NoDomain: 4, OurName: 2,
         Harvester: 3, Bomber: 3, Idle: 3, Browser: 3, Relay: 3,
         Pipeliner: 4, Backscatter: 2, Infected: 2, Spammer: 2}


# -- the day --

class Day:
    def __init__(self, port, hostname, domain, users, bots, span):
        self.port, self.hostname, self.domain = port, hostname, domain
        self.users, self.span = users, span
        self.good = []  # (token, recipient) that must arrive
        self.posts, self.bots = [], []  # (when, coroutine function)
        self.troubles = []
        kinds = list(KINDS)
        for number in range(bots):
            kind = random.choices(kinds, KINDS.values())[0]
            self.bots.append((random.random() * span * 0.9,
                              kind(number, self).run))

    @staticmethod
    def bot_address(number, listed):
        """127.64 to 127.111; the listed ones 127.112 to 127.159."""
        network = number % (48 << 8) + (48 << 8 if listed else 0)
        return f"127.{64 + (network >> 8)}.{network & 255}.9"

    def post(self, when, sender, recipients, sources, helo, sign=None,
             pace=0, author=None, pause=3, body="hello"):
        """A good server's message; sources: its addresses, one a try."""
        token = f"good-{len(self.good)}"
        text = message(sender or "mailer-daemon@" + helo, recipients[0],
                       token, author=author, body=body)
        mail = Mail(sender, recipients, sign(text) if sign else text, helo,
                    pace)
        self.good += [(token, r) for r in recipients]

        async def run():
            await mail.send(self.port, sources, 8, pause)
            if mail.pending or mail.refused:
                self.troubles.append((token, sender, mail.pending,
                                      mail.refused, mail.said))
        self.posts.append((when, run))

    async def _later(self, when, function):
        await asyncio.sleep(when)
        with contextlib.suppress(*GONE):
            await function()

    async def _all(self):
        """Good servers come to their end; bots that hang on are cut off
        when they have had all the time that their tries take."""
        began = asyncio.get_running_loop().time()
        bots = [asyncio.ensure_future(self._later(*job))
                for job in self.bots]
        await asyncio.gather(*(self._later(*job) for job in self.posts))
        left = self.span + PATIENCE - asyncio.get_running_loop().time() + began
        _, late = await asyncio.wait(bots, timeout=max(left, 0.1))
        for bot in late:
            bot.cancel()
        await asyncio.gather(*bots, return_exceptions=True)

    def run(self):
        asyncio.run(self._all())
