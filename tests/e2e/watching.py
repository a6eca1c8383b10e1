"""A client that watches the znodes below a path."""

from kazoo.exceptions import NoNodeError


class Watching:
    """Records every change of the children of `path` and of their data, by a
    watch that it sets again each time. A change between two watches shows in
    the znodes' counters, see `state`."""

    def __init__(self, client, path):
        self.events = []
        self._client = client
        self._path = path
        self._list()

    def _list(self, event=None):
        if event:
            self.events.append((event.type, event.path))
        for name in self._client.get_children(self._path, watch=self._list):
            self._look(f"{self._path}/{name}")

    def _look(self, znode, event=None):
        if event:
            self.events.append((event.type, event.path))
        try:
            self._client.get(znode, watch=lambda ev: self._look(znode, ev))
        except NoNodeError:
            pass


def state(client, path):
    """Returns a value that changes whenever a child of `path` comes, goes or
    is written to: the counter of changes of the children, and the first and
    last transaction of each."""
    stats = {name: client.exists(f"{path}/{name}")
             for name in sorted(client.get_children(path))}
    return (client.exists(path).cversion,
            {name: (stat.czxid, stat.mzxid) for name, stat in stats.items()})
