"""A steady stream of requests, as a strict client sends them.

It sends at least 100 a second, each on a connection of its own and none twice.
An answer that takes 2 s is a failure. The stream is open: a slow answer delays
no later request. It counts the results and who answered. Each request has a
number in its path, and the failed ones are kept.
"""

import asyncio
import collections
import threading
import time

import wait

RATE = 120
LIMIT = 2.0
STALL = 0.2
MINIMUM = 100

finished = []  # the loads that have ended, until a report takes them


class Load:
    """`with Load(port) as load:` sends requests during the block."""

    def __init__(self, host, port, name="requests", asks_for=None):
        self.name = name
        self._head = f"\r\nHost: {asks_for}" if asks_for else ""
        self._host = host
        self._port = port
        self.outcomes = collections.Counter()
        self.answers = collections.Counter()
        self.failures = {}  # outcomes, by the number of the request
        self.sent = 0
        self.seconds = 0.0
        self.longest = 0.0
        self._stalled = 0.0
        self._waiting = set()
        self._ending = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._stream()), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._thread.join()
        finished.append(self)
        print(self)

    async def _stream(self):
        start = time.monotonic()
        tasks = set()
        while True:
            ending = self._ending.is_set()
            self.seconds = time.monotonic() - start
            while self.sent < int(self.seconds * RATE) + 1:
                self.sent += 1
                self._waiting.add(self.sent)
                task = asyncio.ensure_future(self._request(self.sent))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            if ending:
                break
            await self._pause(0.5 / RATE)
        await asyncio.gather(*tasks)

    async def _request(self, number):
        start, stalled = time.monotonic(), self._stalled
        exchange = asyncio.ensure_future(self._exchange(number))
        limit = LIMIT
        while limit > 0:
            await asyncio.wait([exchange], timeout=limit)
            taken = time.monotonic() - start - (self._stalled - stalled)
            limit = 0 if exchange.done() else LIMIT - taken
        outcome = await _outcome(exchange)
        self.outcomes[outcome] += 1
        if outcome != "ok":
            self.failures[number] = outcome
        self.longest = max(self.longest, taken)
        self._waiting.discard(number)

    async def _pause(self, seconds):
        """Sleeps; what it oversleeps by much is time in which this machine
        did not run us, and no request can be blamed for that."""
        start = time.monotonic()
        await asyncio.sleep(seconds)
        late = time.monotonic() - start - seconds
        if late > STALL:
            self._stalled += late

    async def _exchange(self, number):
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(f"GET /{number} HTTP/1.0{self._head}\r\n\r\n".encode())
            answer = await reader.read(-1)
        finally:
            writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        words = head.split(None, 2)
        if len(words) < 2:
            return "no answer"
        if words[1] != b"200":
            return f"status {words[1].decode(errors='replace')}"
        self.answers[body.decode(errors="replace")] += 1
        return "ok"

    def settle(self, more=0):
        """Waits until all requests so far, and `more`, have ended."""
        last = self.sent + more
        wait.until(lambda: self.sent >= last and
                   min(list(self._waiting), default=last + 1) > last,
                   LIMIT + more / RATE + 5, "the requests have ended")

    @property
    def failed(self):
        """Returns how many requests have failed so far."""
        return sum(count for outcome, count in self.outcomes.items()
                   if outcome != "ok")

    def rate(self):
        return self.sent / self.seconds

    def assert_none_failed(self):
        """Asserts, after the block, that no request failed and that the rate
        was the promised one."""
        assert self.failed == 0, str(self)
        assert self.sent == self.outcomes["ok"] > 0, str(self)
        assert self.rate() >= MINIMUM, f"too slow to tell: {self}"

    def assert_some_failed(self):
        """Asserts, after the block of a control, that the fault makes requests
        fail."""
        assert self.failed > 0, f"the fault was not felt: {self}"

    def __str__(self):
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count
                             in sorted(self.outcomes.items()))
        answers = ", ".join(f"{name} {count}" for name, count
                            in sorted(self.answers.items()))
        return (f"{self.name}: {self.sent} sent in {self.seconds:.1f} s, "
                f"{outcomes or 'none ended'}; by {answers or 'nobody'}; "
                f"longest {self.longest * 1000:.0f} ms, "
                f"stalled {self._stalled:.1f} s")


async def _outcome(exchange):
    """What came of an exchange that has had its time."""
    if not exchange.done():
        exchange.cancel()
        await asyncio.wait([exchange])
        return "timeout"
    try:
        return exchange.result()
    except OSError as error:
        return type(error).__name__
