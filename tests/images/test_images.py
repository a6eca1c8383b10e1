"""The images, built and run as an operator would: read-only, without
capabilities, without /etc/resolv.conf, as process 1 without an init."""

import json
import os
import subprocess
import sys

import pytest
import yaml

import podman as podman_module
import program
import wait

SLOW = """
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("asked", flush=True)
        while not __import__("os").path.exists(sys.argv[1]):
            time.sleep(0.02)
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"whole")
http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
"""

CFG = """
defaults
    mode http
    log stdout format raw local0 info
    timeout connect 1s
    timeout client 60s
    timeout server 60s

frontend web
    bind 127.0.0.1:3213
    default_backend web

backend web
    load-server-state-from-file global
    server-template s 1-8 slot.invalid:1 init-addr last,127.0.0.1 disabled
"""
MORE = """
frontend more
    bind 127.0.0.1:3220
    default_backend web
"""


def path(name):
    return f"/nerve/services/{name}/services"


def synapse(name):
    return json.dumps({
        "services": {"web": {
            "discovery": {"method": "zookeeper", "hosts": ["127.0.0.1:2181"],
                          "path": path(name)},
            "haproxy": {"backend_name": "web"}}},
        "haproxy": {"state_file_path": "/var/lib/synapse/state"},
        "lockdown": True})


def nerve_conf(**ports):
    return json.dumps({
        "control_socket": "/var/lib/nerve/control.sock",
        "holds_path": "/var/lib/nerve/holds",
        "services": {name: {
            "port": port, "zk_hosts": ["127.0.0.1:2181"], "zk_path": path(name),
            "check_interval": 0.2, "checks": [{"type": "tcp", "timeout": 1}]}
            for name, port in ports.items()}})


class ConfigMap:
    """A directory as kubelet mounts it: the files are links through `..data`,
    which is swapped by a rename."""

    def __init__(self, sandbox, name, **files):
        self.folder = sandbox.path(name)
        os.makedirs(self.folder)
        self._version = 0
        self.change(**files)
        for file in files:
            os.symlink(f"..data/{self._named(file)}",
                       f"{self.folder}/{self._named(file)}")

    @staticmethod
    def _named(file):
        return {"cfg": "haproxy.cfg", "synapse": "synapse.conf.json",
                "nerve": "nerve.conf.json"}[file]

    def change(self, **files):
        old, self._version = self._version, self._version + 1
        new = f"..version_{self._version}"
        os.makedirs(f"{self.folder}/{new}")
        for file, text in files.items():
            with open(f"{self.folder}/{new}/{self._named(file)}", "w") as out:
                out.write(text)
        os.symlink(new, f"{self.folder}/..data_tmp")
        os.rename(f"{self.folder}/..data_tmp", f"{self.folder}/..data")
        if old:
            subprocess.run(["rm", "-r", f"{self.folder}/..version_{old}"],
                           check=True)


def answers(network, text, port=3213, seconds=40):
    wait.until(lambda: network.fetch(port) == text, seconds,
               f"port {port} answers {text}")


def mount(folder, place):
    return f"--volume={folder}:{place}:ro"


def test_a_changed_configmap_is_followed_by_both(sandbox, network, podman):
    """Programs that watch a file by its inode miss a ConfigMap's change: the
    directory `..data` is another one then. The containers run as a user that
    the image does not have, as on OpenShift, and HAProxy cannot ask DNS."""
    network.zookeeper()
    network.service("one", 8001)
    network.service("two", 8002)
    nerve = ConfigMap(sandbox, "nerve", nerve=nerve_conf(one=8001))
    proxy = ConfigMap(sandbox, "proxy", cfg=CFG, synapse=synapse("one"))
    podman.start("nerve", "nerve", "--user=1000650000:0",
                 "--env=NERVE_HOST=127.0.0.1",
                 mount(nerve.folder, "/etc/nerve"))
    podman.start("proxy", "haproxy", "--user=1000650000:0",
                 mount(proxy.folder, "/etc/haproxy"))
    answers(network, "one")
    assert "nameserver" not in podman.execute(
        "proxy", "sh", "-c", "cat /etc/resolv.conf || true")

    # The agent follows its file by itself; nerve reads its own on SIGHUP.
    nerve.change(nerve=nerve_conf(one=8001, two=8002))
    podman.ask("kill", "--signal=HUP", "nerve")
    wait.until(lambda: network.children(path("two")), 20, "two is registered")
    proxy.change(cfg=CFG, synapse=synapse("two"))
    answers(network, "two")

    # HAProxy reads haproxy.cfg on SIGUSR2, in the same container.
    proxy.change(cfg=CFG + MORE, synapse=synapse("two"))
    podman.ask("kill", "--signal=USR2", "proxy")
    answers(network, "two", port=3220)
    assert podman.state("proxy")["Running"]


def test_a_stop_waits_for_requests_that_are_under_way(
        sandbox, network, podman):
    """Images of HAProxy ended every request at once when they were stopped,
    because the runtime sent SIGTERM."""
    network.zookeeper()
    done = sandbox.path("done")
    slow = network.start("slow", sys.executable, "-c", SLOW, done)
    nerve = ConfigMap(sandbox, "nerve", nerve=nerve_conf(web=8000))
    proxy = ConfigMap(sandbox, "proxy", cfg=CFG, synapse=synapse("web"))
    podman.start("nerve", "nerve", "--env=NERVE_HOST=127.0.0.1",
                 mount(nerve.folder, "/etc/nerve"))
    podman.start("proxy", "haproxy", mount(proxy.folder, "/etc/haproxy"))
    wait.until(lambda: "127.0.0.1:8000" in podman.execute(
        "proxy", "synapsectl", "service", "web"), 40, "web has an instance")
    request = network.start("request", "curl", "-s", "http://127.0.0.1:3213/")
    slow.says("asked", 20)
    stop = network.start("stop", *podman_module.options(), "stop", "--time=60",
                         "proxy")
    wait.until(lambda: "Exiting Master process" in podman.logs("proxy"), 20,
               "HAProxy stops")
    assert request.alive()
    sandbox.write("done", "")
    request.says("whole", 20)
    assert stop.ended(60) == 0
    assert podman.state("proxy")["ExitCode"] == 0


def test_nerve_takes_its_registration_away_and_ends_well(
        sandbox, network, podman):
    """What a pod does when it ends: the hook drains the instance, then nerve
    gets SIGTERM."""
    network.zookeeper()
    network.service("web", 8000)
    nerve = ConfigMap(sandbox, "nerve", nerve=nerve_conf(web=8000))
    podman.start("nerve", "nerve", "--env=NERVE_HOST=127.0.0.1",
                 mount(nerve.folder, "/etc/nerve"))
    wait.until(lambda: network.children(path("web")), 30, "it is registered")
    podman.execute("nerve", "nerve", "ctl", "disable", "web", "--reason",
                   "the pod ends", "--for", "5m", "--drain", "1s")
    assert not network.children(path("web"))
    podman.execute("nerve", "nerve", "ctl", "enable", "web")
    assert network.children(path("web"))
    podman.ask("stop", "--time=60", "nerve")
    assert not network.children(path("web"))
    assert podman.state("nerve")["ExitCode"] == 0


@pytest.mark.parametrize("kind", ["haproxy", "nerve"])
def test_an_image_works_as_it_is_and_says_that_it_is_healthy(kind, podman):
    podman.start("bare", kind)
    wait.until(lambda: healthy(podman), 30, "it is healthy")
    podman.ask("stop", "--time=60", "bare")
    assert podman.state("bare")["ExitCode"] == 0


def healthy(podman):
    try:
        podman.ask("healthcheck", "run", "bare")
        return True
    except AssertionError:
        return False


def test_the_example_for_kubernetes_is_valid(podman, sandbox):
    """By the schemas of Kubernetes' API, and by the programs themselves."""
    modules = f"{podman_module.FOLDER}/npm"
    os.makedirs(modules, exist_ok=True)
    podman_module.run(
        ["npm", "install", "--loglevel=error", "--no-save", "--no-audit",
         "--no-fund", "--ignore-scripts", f"--prefix={modules}",
         "kubernetes-models@4.5.1", "yaml@2"], 300)
    validate = f"{modules}/validate.mjs"
    with open(f"{program.ROOT}/tests/images/validate.mjs") as source, \
            open(validate, "w") as copy:
        copy.write(source.read())
    example = f"{program.ROOT}/demo/kubernetes.yaml"
    podman_module.run(["node", validate, example], 60)
    with open(example) as file:
        maps = {document["metadata"]["name"]: document["data"]
                for document in yaml.safe_load_all(file)
                if document["kind"] == "ConfigMap"}
    for name, files in maps.items():
        os.makedirs(sandbox.path(name))
        for file, text in files.items():
            sandbox.write(f"{name}/{file}", text)
    podman.once("haproxy", "--env=NODE_IP=127.0.0.1",
                mount(sandbox.path("myelin-haproxy"), "/etc/haproxy"), "--",
                "haproxy", "-c", "-f", "/etc/haproxy/haproxy.cfg", "-f",
                "/usr/share/myelin/container.cfg")
    podman.once("nerve", "--env=NERVE_HOST=10.0.0.7",
                mount(sandbox.path("web-nerve"), "/etc/nerve"), "--", "nerve",
                "-k")


def test_the_sandbox_for_compose_serves_while_parts_of_it_are_stopped(
        network, podman):
    podman.start_all(f"{program.ROOT}/demo/compose/compose.yaml")
    for node in ("102", "103", "104"):
        serves(network, node, 3213, {"service_a_node_1", "service_a_node_2"})
        serves(network, node, 3214, {"service_b_node_1"})
    podman.ask("stop", "--time=60", "zookeeper1")
    podman.ask("stop", "--time=60", "nerve_a_1")
    serves(network, "103", 3213, {"service_a_node_2"})
    podman.ask("start", "nerve_a_1")
    serves(network, "103", 3213, {"service_a_node_1", "service_a_node_2"})


def serves(network, node, port, names):
    """Waits until exactly these instances answer at a port of a node."""
    def asked():
        shown = [network.output("curl", "-s", "--max-time", "2",
                                f"http://10.201.7.{node}:{port}/")
                 for _ in range(4)]
        return {text.split(" at ")[0] for text in shown} == names
    wait.until(asked, 120, f"{names} answer at node {node}")
