"""A connection to a ZooKeeper that counts the requests on it. It may be slow,
or answer in the server's place.

The frames are those of ZooKeeper's protocol: a length of four bytes; then,
except in the first frame of each side, a number (xid), and in requests the
operation.
"""

import asyncio
import collections
import struct
import threading

import address

OPERATIONS = {1: "create", 2: "delete", 3: "exists", 4: "get", 5: "set",
              8: "list", 9: "sync", 12: "list", 100: "auth",
              101: "set watches", 105: "set watches", -11: "close"}
PING = 11


class Wire:
    """Forwards everything to `server`, delayed by `delay` seconds in each
    direction. While it is `blocked`, it forwards nothing and turns new clients
    away.

    `identity` is the last session's id and password. `counts` has the requests
    by name; `most` is the highest number of unanswered requests on one
    connection, without pings. A request whose name is in `refused` is answered
    with that code, whatever the server says.
    """

    def __init__(self, sandbox, server, delay=0.0):
        self.port = address.port()
        self.hosts = f"{address.HOST}:{self.port}"
        self.addresses = [self.hosts]
        self.counts = collections.Counter()
        self.most = 0
        self.delay = delay
        self.blocked = False
        self.identity = None
        self.refused = {}
        self._server = server
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait()
        sandbox.at_end(self._close)

    def forget(self):
        """Sets all counts to zero."""
        self.counts = collections.Counter()
        self.most = 0

    def cut(self):
        """Ends all connections; accepts new ones unless it is blocked."""
        self._loop.call_soon_threadsafe(self._cut)

    def _cut(self):
        for writer in self._writers:
            writer.transport.abort()

    def _run(self):
        self._writers = set()
        self._loop.run_until_complete(self._listen())
        self._loop.run_forever()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks))
        self._loop.close()

    async def _listen(self):
        host, port = self.hosts.split(":")
        await asyncio.start_server(self._serve, host, int(port))
        self._ready.set()

    async def _serve(self, reader, writer):
        line = _Line(self)
        if self.blocked:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(
                self._server.host, self._server.port)
        except OSError:
            writer.close()
            return
        ends = {writer, far_writer}
        self._writers |= ends
        await asyncio.gather(
            self._forward(reader, far_writer, line.asked),
            self._forward(far_reader, writer, line.answered))
        self._writers -= ends

    async def _forward(self, reader, writer, note):
        """Passes frames on until one side ends."""
        frames = asyncio.Queue()
        sender = asyncio.ensure_future(self._send(frames, writer))
        try:
            while True:
                head = await reader.readexactly(4)
                body = await reader.readexactly(struct.unpack(">i", head)[0])
                body = note(body)
                frames.put_nowait((self._loop.time() + self.delay,
                                   struct.pack(">i", len(body)) + body))
        except (asyncio.IncompleteReadError, OSError):
            frames.put_nowait((0, None))
        await sender

    async def _send(self, frames, writer):
        while True:
            due, frame = await frames.get()
            if frame is None:
                break
            if due > self._loop.time():
                await asyncio.sleep(due - self._loop.time())
            writer.write(frame)
        writer.close()

    def _close(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


class _Line:
    """A connection, and its requests that have no answer yet."""

    def __init__(self, wire):
        self._wire = wire
        self._greeted = False
        self._welcomed = False
        self._open = {}

    def asked(self, body):
        if not self._greeted:
            self._greeted = True
            self._wire.counts["connect"] += 1
            return body
        number, operation = struct.unpack(">ii", body[:8])
        if operation == PING:
            return body
        name = OPERATIONS.get(operation, str(operation))
        self._wire.counts[name] += 1
        if number > 0:
            self._open[number] = name
        self._wire.most = max(self._wire.most, len(self._open))
        return body

    def answered(self, body):
        if not self._welcomed:
            self._welcomed = True
            number, length = struct.unpack(">qi", body[8:20])
            self._wire.identity = (number, body[20:20 + length])
            return body
        number, = struct.unpack(">i", body[:4])
        code = self._wire.refused.get(self._open.pop(number, None))
        return body if code is None else body[:12] + struct.pack(">i", code)
