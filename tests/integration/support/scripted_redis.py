"""A Redis that says what the test wants: in front of a real one, which answers everything else.

    scripted.on("EVALSHA", b"-LOADING Redis is loading the dataset in memory\\r\\n")

So the greeting, the scripts' digests and the heartbeat are real, and only what is scripted is not.
"""

import os
import select
import socket
import threading

from support.store import NODES_KEY


class _Reader:
    """The RESP of one side, a whole command or reply at a time, as bytes."""

    def __init__(self, one):
        self._file = one.makefile("rb")

    def _line(self):
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("ended")
        return line

    def reply(self):
        line = self._line()
        if line[:1] == b"$" and line != b"$-1\r\n":
            return line + self._file.read(int(line[1:]) + 2)
        if line[:1] == b"*" and line != b"*-1\r\n":
            return line + b"".join(self.reply() for _ in range(int(line[1:])))
        return line

    def command(self):
        """Its bytes and its words."""
        raw = self.reply()
        rest, words = raw[raw.index(b"\r\n") + 2:], []
        while rest:
            end = rest.index(b"\r\n")
            length = int(rest[1:end])
            words.append(rest[end + 2:end + 2 + length])
            rest = rest[end + 4 + length:]
        return raw, words

    def close(self):
        self._file.close()


def is_heartbeat(words):
    return words[:1] == [b"EVALSHA"] and len(words) > 3 and words[3].endswith(NODES_KEY)


class ScriptedRedis:
    """REQUIRES: close() at the end. `upstream` is the path of the real one."""

    def __init__(self, path, upstream):
        self.path = str(path)
        self._upstream = str(upstream)
        self._scripts = {}
        self._heartbeats_too = False
        self.said = 0  # scripted replies given so far
        self._connections = set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self):
        return f"unix://{self.path}"

    def on(self, command, reply, heartbeats_too=False):
        """From now on `command` (as "INFO", or "INFO memory") gets these bytes; reply(words) may
        give them too, or None for the real answer. b"" is silence. Heartbeats only if wanted."""
        self._heartbeats_too = heartbeats_too
        self._scripts[command.upper().encode()] = reply

    def behave(self):
        self._scripts = {}

    def close(self):
        self._listener.close()
        self.end_connections()
        os.unlink(self.path)

    def end_connections(self):
        for one in list(self._connections):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended already

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _scripted(self, words):
        if is_heartbeat(words) and not self._heartbeats_too:
            return None
        upper = [word.upper() for word in words[:2]]
        for name in (b" ".join(upper), upper[0]):
            if name in self._scripts:
                reply = self._scripts[name]
                return reply(words) if callable(reply) else reply
        return None

    def _serve(self, client):
        self._connections.add(client)
        with client, socket.socket(socket.AF_UNIX) as server:
            try:
                server.connect(self._upstream)
                commands, replies = _Reader(client), _Reader(server)
                while True:
                    raw, words = commands.command()
                    scripted = self._scripted(words)
                    if scripted is not None:
                        self.said += 1
                        client.sendall(scripted)
                        continue
                    server.sendall(raw)
                    client.sendall(replies.reply())
                    if words[0].upper() == b"SUBSCRIBE":
                        return self._relay(client, server)
            except (OSError, ValueError):
                pass
            finally:
                self._connections.discard(client)

    @staticmethod
    def _relay(client, server):
        while True:
            for one in select.select([client, server], [], [])[0]:
                data = one.recv(1 << 16)
                if not data:
                    return
                (server if one is client else client).sendall(data)
