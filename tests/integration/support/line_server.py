"""A server on a Unix socket that answers as a test says, also wrongly."""

import socket
import threading


class LineServer:
    """`answer(requests)` is what it writes for so many lines. REQUIRES: close() at the end."""

    def __init__(self, path, answer):
        self.path = path
        self.ended = threading.Event()
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        self._listener.settimeout(0.05)
        while not self.ended.is_set():
            try:
                peer, _ = self._listener.accept()
            except TimeoutError:
                continue
            self._threads.append(threading.Thread(target=self._serve, args=(peer,)))
            self._threads[-1].start()

    def _serve(self, peer):
        try:
            with peer:
                while data := peer.recv(65536):
                    peer.sendall(self._answer(data.count(b"\n")))
        except ConnectionError:
            pass  # who was answered wrongly may leave at once

    def close(self):
        self.ended.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()
