"""A client of the agent's HTTP service."""

import http.client
import json

import wait


class Status:
    """A client of the agent's own frontend."""

    def __init__(self, proxy):
        self._proxy = proxy

    def ask(self, path, method="GET", **headers):
        """Returns the answer, read to its end, and its body."""
        connection = http.client.HTTPConnection(
            self._proxy.host, self._proxy.status_port,
            timeout=10 * wait.FACTOR)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer, answer.read().decode()
        finally:
            connection.close()

    def json(self, path):
        answer, body = self.ask(path)
        assert answer.status == 200, body
        return json.loads(body)

    def service(self, name="web"):
        [found] = self.json(f"/status.json?service={name}")["services"]
        return found

    def states(self, name="web"):
        """Returns the state of each instance by its host:port."""
        return {it["instance"]: it["state"]
                for it in self.service(name)["instances"]}

    def events(self, since=0):
        return self.json(f"/events.json?since={since}")["events"]
