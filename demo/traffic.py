"""Who answers: requests to one service, and a line when that changes."""

import http.client
from collections import Counter, deque

# As many requests in a row without an instance, and it is out.
WINDOW = 10


def get(where, path="/"):
    """The status and the body of one request to address:port, on a
    connection of its own; status 0 where there is no answer."""
    connection = http.client.HTTPConnection(where, timeout=2)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode().strip()
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()


class Traffic:
    """Requests through one frontend and what became of them."""

    def __init__(self, where):
        self.where = where
        self.answers = Counter()
        self.failures = Counter()  # by the status of the answer
        self._failed_in_a_row = 0
        self._recent = deque(maxlen=WINDOW)  # who gave the last answers
        self._answering = ()

    def ask(self):
        """Sends one request. Returns what was answered."""
        status, text = get(self.where)
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
        """Who answered how many, and how many failed, as lines."""
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
        """Returns who answered before and who answers now, each as a tuple
        of names, when that has changed; else None."""
        before, now = self._answering, self._now()
        if now == before:
            return None
        self._answering = now
        return before, now

    def _now(self):
        """An answer counts at once, silence after a whole window. A failure
        says nothing of who would have answered."""
        if self._failed_in_a_row >= WINDOW:
            self._recent.clear()
            return ()
        seen = set(self._recent)
        if len(self._recent) < WINDOW:
            seen |= set(self._answering)
        return tuple(sorted(seen))
