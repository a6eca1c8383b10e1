"""A real Prometheus, which reads a real agent and a real nerve, evaluates the
Grafana dashboard and the alerts."""

import json
import os
import re
import urllib.parse
import urllib.request

import pytest

import address
import program
import wait
from haproxy import web
from metrics import Pages
from nerve import Nerve, watched

# What Grafana puts in place of its variables.
VARIABLES = {"$__rate_interval": "10s", "$service": "web", "$haproxy": ".*",
             "$nerve": ".*"}
# An alert's condition. Without it the expression must have a value all the
# time.
CONDITION = re.compile(r"\s*(?:==|!=|[<>]=?)\s*[\d.]+$")
METRIC = re.compile(r"\b(?:synapse|nerve)_\w+")


def shipped(name):
    """Returns the path of an installed file."""
    return os.path.join(program.ROOT, "haproxy", name)


class Prometheus:
    """A server that reads the targets every second. A target is a job's name
    and its host:port."""

    def __init__(self, sandbox, targets):
        host = f"{address.HOST}:{address.port()}"
        jobs = [{"job_name": job, "static_configs": [{"targets": [target]}]}
                for job, target in targets.items()]
        config = sandbox.write("prometheus.json", json.dumps(
            {"global": {"scrape_interval": "1s"}, "scrape_configs": jobs,
             "rule_files": [shipped("alerts.yml")]}))
        self._url = f"http://{host}/api/v1"
        self.process = sandbox.run("prometheus", [
            "prometheus", f"--config.file={config}",
            f"--storage.tsdb.path={sandbox.path('tsdb')}",
            f"--web.listen-address={host}"])
        self.process.says("ready to receive")

    def _get(self, path, **parameters):
        url = f"{self._url}/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10 * wait.FACTOR) as answer:
            return json.load(answer)["data"]

    def ask(self, expression):
        """Returns the samples of its answer: labels and value."""
        return self._get("query", query=expression)["result"]

    def alerts(self):
        """Returns the expression of each alert by its name."""
        return {rule["name"]: rule["query"]
                for group in self._get("rules")["groups"]
                for rule in group["rules"]}


@pytest.fixture
def prometheus(sandbox, healthy, path):
    one = sandbox.service("one")
    proxy = sandbox.haproxy([web(healthy, path)], status=True)
    pages = Pages()
    Nerve(sandbox, "one", {"web": watched(one, healthy, path)},
          metrics_listen=pages.listen)
    proxy.serves([one])
    return Prometheus(sandbox, {
        "synapse": f"{proxy.host}:{proxy.status_port}",
        "nerve": pages.listen})


def answers(prometheus, expressions):
    """Waits until each expression has a value, and each metric in it, because
    an expression may have a value without one of them."""
    for name, expression in expressions.items():
        for text in (expression, *METRIC.findall(expression)):
            wait.until(lambda: prometheus.ask(text), 15,
                       f"{name}: {text} is answered")


def test_each_panel_of_the_dashboard_shows_something(prometheus):
    """A panel stays empty, and nobody notices, if its metric has another name
    than the program's."""
    with open(shipped("grafana.json")) as file:
        dashboard = json.load(file)
    expressions = {}
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            text = target["expr"]
            for name, value in VARIABLES.items():
                text = text.replace(name, value)
            expressions[panel["title"] + target["refId"]] = text
    for variable in dashboard["templating"]["list"][1:]:
        metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)",
                                     variable["query"]["query"]).groups()
        expressions[variable["name"]] = f'{metric}{{{label}!=""}}'
    assert len(expressions) > 40
    assert not [text for text in expressions.values() if "$" in text]
    answers(prometheus, expressions)


def test_each_alert_looks_at_something(prometheus):
    alerts = prometheus.alerts()
    looked_at = {name: CONDITION.sub("", expression).replace("[10m]", "[10s]")
                 for name, expression in alerts.items()}
    assert len(looked_at) > 10
    assert not [name for name in alerts if looked_at[name] == alerts[name]]
    answers(prometheus, looked_at)
