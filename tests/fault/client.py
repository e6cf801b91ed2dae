"""A process of clients of one daemon: several connections, in both framings, that keep asking and
note every answer.

    client.py SOCKET SEED

It is told what to do by pickled tuples on its standard input and answers each with a pickle:

    ("ask", round)    the load flows, under ids of that round; None
    ("since", time)   a tally.Recent of what was asked since then
    ("rest",)         no more is asked, and what was asked is answered: all Answers of the round

It ends with its standard input.
"""

import itertools
import os
import pickle
import random
import signal
import sys
import threading
import time

import support_path  # noqa: F401  pylint: disable=unused-import
from support import binaries
from support.line import LineClient
from support.resp import Error, RespClient, encode, plain

from mix import Mix
from tally import LOST, SILENT, Answer, recent

PAUSE_S = (0.008, 0.03)  # between two batches of a connection
AGAIN_S = 0.02           # before a lost connection is made again
SILENCE_S = 15.0 * binaries.patience()  # longer than any fault lasts


class Line:
    """Asks in the line framing."""

    def __init__(self, path):
        self._client = LineClient(path, SILENCE_S)
        assert self._client.ask("PING").word == "OK"

    def send(self, requests):
        self._client.send(*(" ".join(request.words()) for request in requests))

    def receive(self, request):
        """The first word of the reply and the fields behind it."""
        reply = self._client.read_reply()
        fields = tuple(reply.values)
        if request.verb == "ACQUIRE" and len(fields) == 6:
            fields = (*fields[:5], reply.ticket)
        return reply.word, fields

    def close(self):
        self._client.close()


class Resp:
    """Asks in RESP; what it hears is put in the words of the line framing."""

    def __init__(self, path):
        self._client = RespClient(path, SILENCE_S)
        assert plain(self._client.ask("PING")) == "PONG"

    def send(self, requests):
        self._client.send_raw(b"".join(encode(*request.words()) for request in requests))

    def receive(self, request):
        reply = self._client.read_reply()
        if isinstance(reply, Error):
            return "ERR", (reply.code, reply.text)
        value = plain(reply)
        if request.verb in ("CHECK", "ACQUIRE"):
            return ("DENY", "ALLOW")[value[0]], tuple(value[1:])
        return "OK", tuple(value) if isinstance(value, list) else (value,)

    def close(self):
        self._client.close()


FRAMINGS = (Line, Resp, Line, Resp)  # of the connections


class Asker:
    """One connection, on a thread of its own."""

    def __init__(self, path, framing, seed):
        self._path = path
        self._framing = framing
        self._rng = random.Random(seed)
        self._mix = Mix(random.Random(self._rng.random()))
        self._connection = None
        self._flows = threading.Event()
        self.rests = threading.Event()
        self.rests.set()
        self.answers = []
        threading.Thread(target=self._run, daemon=True).start()

    def ask(self, round_):
        self._mix.begin(round_)
        self.answers = []
        self.rests.clear()
        self._flows.set()

    def stop(self):
        self._flows.clear()

    def since(self, when):
        newest_first = reversed(self.answers[:])
        return list(itertools.takewhile(lambda answer: answer.sent >= when, newest_first))

    def _run(self):
        while self._flows.wait():
            while self._flows.is_set():
                self._turn()
            self.rests.set()

    def _turn(self):
        if self._connection is None:
            try:
                self._connection = self._framing(self._path)
            except (OSError, AssertionError):  # it is down, or went down in the midst of a reply
                time.sleep(AGAIN_S)
                return
        self._ask(self._mix.batch())
        time.sleep(self._rng.uniform(*PAUSE_S))

    def _ask(self, requests):
        sent = time.monotonic()
        owed = list(requests)
        word = LOST
        try:
            self._connection.send(requests)
            while owed:
                self._receive(owed[0], sent)
                owed.pop(0)
            return
        except TimeoutError:
            word = SILENT
        except (OSError, AssertionError):
            pass  # the end of the connection, maybe in the midst of a reply
        now = time.monotonic()
        self.answers += [Answer(request, sent, now, word) for request in owed]
        self._connection.close()
        self._connection = None

    def _receive(self, request, sent):
        word, fields = self._connection.receive(request)
        self.answers.append(Answer(request, sent, time.monotonic(), word, fields))
        if request.verb == "ACQUIRE" and word == "ALLOW":
            self._mix.told(request, fields[5])


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # meant for who started us, and who will end us
    path, seed = sys.argv[1:]
    askers = [Asker(path, framing, f"{seed} {number}")
              for number, framing in enumerate(FRAMINGS)]
    while True:
        try:
            command, *values = pickle.load(sys.stdin.buffer)
        except EOFError:
            os._exit(0)  # whatever the threads wait for
        result = None
        if command == "ask":
            for asker in askers:
                asker.ask(*values)
        elif command == "since":
            result = recent([answer for asker in askers for answer in asker.since(*values)])
        elif command == "rest":
            for asker in askers:
                asker.stop()
            for asker in askers:
                asker.rests.wait()
            result = [answer for asker in askers for answer in asker.answers]
        pickle.dump(result, sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
