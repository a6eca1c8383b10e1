"""A steady stream of requests, as a strict client sends them.

Each request is sent when it is due, even if others are still waiting. Each has
a connection of its own and is sent once. The start and end of each are kept.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from acts import now
from traffic import get

RATE = 100
AT_ONCE = 300


@dataclass(frozen=True)
class Request:
    start: float
    end: float
    good: bool


class Load:
    """`with Load(where) as load:` sends requests to address:port during the
    block. After it, all `load.requests` have ended."""

    def __init__(self, where):
        self._where = where
        self._ending = threading.Event()
        self._sender = threading.Thread(target=self._send)
        self.requests = []

    def __enter__(self):
        self._sender.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._sender.join()

    def _send(self):
        first, sent = now(), 0
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while not self._ending.is_set():
                pool.submit(self._request)
                sent += 1
                time.sleep(max(0, first + sent / RATE - now()))

    def _request(self):
        start = now()
        status, _ = get(self._where)
        self.requests.append(Request(start, now(), status == 200))
