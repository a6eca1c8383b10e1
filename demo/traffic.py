"""Sends requests to one service, and notices when other instances answer."""

import http.client
from collections import Counter, deque

# An instance that has answered none of the last WINDOW requests is out.
WINDOW = 10


def get(where, path="/", host=None):
    """Sends one request to address:port on a connection of its own; it asks
    for `host`, if that is given. Returns the status and the body; status 0 if
    there is no answer."""
    connection = http.client.HTTPConnection(where, timeout=2)
    asked = {"Host": host} if host else {}
    try:
        connection.request("GET", path,
                           headers={"Connection": "close", **asked})
        answer = connection.getresponse()
        return answer.status, answer.read().decode().strip()
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()


class Traffic:
    """Requests through one frontend, and their results."""

    def __init__(self, where, host=None):
        self.where = where
        self.host = host
        self.answers = Counter()
        self.failures = Counter()  # by the status of the answer
        self._failed_in_a_row = 0
        self._recent = deque(maxlen=WINDOW)  # instances of the last answers
        self._answering = ()

    def ask(self):
        """Sends one request. Returns the answer."""
        status, text = get(self.where, host=self.host)
        if status == 200:
            who = text.split()[0]
            self.answers[who] += 1
            self._failed_in_a_row = 0
            self._recent.append(who)
        else:
            self.failures[status] += 1
            self._failed_in_a_row += 1
        return text

    @property
    def failed(self):
        return sum(self.failures.values())

    def table(self):
        """Returns how many requests each instance answered, and how many
        failed, as lines."""
        why = ", ".join(f"{count} with status {status}" if status else
                        f"{count} without an answer"
                        for status, count in sorted(self.failures.items()))
        rows = [(who, str(count))
                for who, count in sorted(self.answers.items())]
        rows.append(("failed", f"{self.failed}  {why}".rstrip()))
        return [f"{name:17} {count}" for name, count in rows]

    def total(self):
        return self.failed + sum(self.answers.values())

    def moved(self):
        """Returns the instances that answered before and those that answer
        now, each as a tuple of names, if they differ; else None."""
        before, now = self._answering, self._now()
        if now == before:
            return None
        self._answering = now
        return before, now

    def _now(self):
        """Returns the instances that answer now. One answer is enough to be
        in; an instance without an answer in a whole window is out. After as
        many failures in a row all are out. One failure alone does not say
        which instance would have answered."""
        if self._failed_in_a_row >= WINDOW:
            self._recent.clear()
            return ()
        seen = set(self._recent)
        if len(self._recent) < WINDOW:
            seen |= set(self._answering)
        return tuple(sorted(seen))
