"""`haproxy -c`, and wrong configurations."""

import json
import os
import re
import socket
import subprocess

import pytest

import address
import program
import wait
from haproxy import Backend, web


def silent_ensemble(sandbox):
    """A port that accepts connections and records whether a client came."""
    listener = socket.create_server((address.HOST, address.port()))
    listener.setblocking(False)
    sandbox.at_end(listener.close)
    return listener, "%s:%d" % listener.getsockname()


def test_a_check_of_the_configuration_opens_no_session(sandbox, path):
    listener, hosts = silent_ensemble(sandbox)
    proxy = sandbox.haproxy([Backend(hosts=[hosts], path=path)], start=False)
    status, said = proxy.check()
    assert status == 0, said
    with pytest.raises(BlockingIOError):
        listener.accept()
    proxy.start()
    wait.until(lambda: came(listener), 10, "the real start opens one")


def came(listener):
    try:
        listener.accept()[0].close()
        return True
    except BlockingIOError:
        return False


def test_a_check_of_the_configuration_starts_no_thread(sandbox, path):
    _, hosts = silent_ensemble(sandbox)
    plain = sandbox.haproxy([Backend()], name="plain", agent=False,
                            start=False)
    proxy = sandbox.haproxy([Backend(hosts=[hosts], path=path)], start=False)
    # HAProxy itself may start one to examine the machine.
    assert threads_of_check(proxy) == threads_of_check(plain)


def threads_of_check(proxy):
    """Returns how many threads and processes `haproxy -c` starts."""
    trace = f"{proxy.file}.trace"
    done = subprocess.run(
        ["strace", "-f", "-o", trace, "-e", "trace=clone,clone3,fork,vfork",
         "haproxy", "-c", "-f", proxy.file], capture_output=True, text=True,
        timeout=60 * wait.FACTOR)
    assert done.returncode == 0, done.stdout + done.stderr
    with open(trace) as lines:
        return sum("clone" in line or "fork" in line for line in lines)


def test_a_check_of_the_configuration_leaves_the_snapshot_alone(
        sandbox, healthy, path):
    proxy = sandbox.haproxy([web(healthy, path)],
                            start=False)
    with open(proxy.snapshot, "w") as file:
        file.write("as it was")
    assert proxy.check()[0] == 0
    with open(proxy.snapshot) as file:
        assert file.read() == "as it was"


def service(**changes):
    """Returns a synapse.conf.json with one service and these changes."""
    discovery = {"method": "zookeeper", "hosts": ["127.0.0.1:2181"],
                 "path": "/a"}
    discovery.update(changes.pop("discovery", {}))
    return {"services": {"web": {"discovery": discovery, "haproxy": {},
                                 **changes}}, "haproxy": {}}


WRONG = {
    "no JSON": ('{"services": ', "line 1", "."),
    "another method": (service(discovery={"method": "dns"}),
                  "services.web.discovery.method", "default_servers"),
    "no hosts": (service(discovery={"hosts": []}),
                 "services.web.discovery.hosts", "host:port"),
    "a host without a port": (service(discovery={"hosts": ["zk1"]}),
                              r"services.web.discovery.hosts\[0\]",
                              "host:port"),
    "a relative path": (service(discovery={"path": "a/b"}),
                        "services.web.discovery.path", "/"),
    "no backend of that name": (service(haproxy={"backend_name": "nowhere"}),
                                "web|nowhere", "nowhere"),
    "a text for a boolean": (service(use_previous_backends="yes"),
                             "services.web.use_previous_backends",
                             "true nor false"),
    "a default server without a port": (
        service(default_servers=[{"host": "127.0.0.1"}]),
        r"services.web.default_servers\[0\]", "port"),
    "a timeout of nothing": ({**service(), "session_timeout": 0},
                             "session_timeout", "1 to 3600"),
    "YAML": ("services:\n  web: {}\n", "line 1", "YAML is not read"),
    "ERB": ('{\n"services": {"web": <%= ENV["WEB"] %>}}', "line 2",
            "ERB is not expanded"),
    "no directory of services": ({**service(),
                                  "service_conf_dir": "/nowhere"},
                                 "service_conf_dir",
                                 "/nowhere: No such file or directory"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_configuration_fails_the_check_with_place_and_remedy(
        name, sandbox):
    content, place, right = WRONG[name]
    proxy = sandbox.haproxy([Backend()], start=False)
    with open(proxy.synapse_file, "w") as file:
        file.write(content if isinstance(content, str)
                   else json.dumps(content))
    status, said = proxy.check()
    assert status == 1, said
    line = next((line for line in said.splitlines()
                 if re.search(place, line)), None)
    assert line and re.search(right, line), said


def test_a_check_reads_the_directory_of_services_too(sandbox):
    directory = sandbox.path("services")
    os.mkdir(directory)
    [web] = service()["services"].values()
    proxy = sandbox.haproxy([Backend()], start=False,
                            synapse={"service_conf_dir": directory})
    file = sandbox.write("services/web.json", json.dumps(web))
    assert proxy.check()[0] == 0

    sandbox.write("services/web.json", json.dumps(
        {**web, "max_instances": 0}))
    status, said = proxy.check()
    assert status == 1
    assert (f"{file}: services.web.max_instances: 0 is not an integer from "
            "1 to 100000") in said

    sandbox.write("services/web.json", json.dumps(web))
    sandbox.write("services/other.json", json.dumps(web))
    status, said = proxy.check()
    assert status == 1
    assert "services.other: backend other is not in HAProxy's config" in said


def test_a_missing_configuration_file_fails_the_check(sandbox):
    proxy = sandbox.haproxy([Backend()], start=False)
    proxy.synapse_file = "/nonexistent/synapse.conf.json"
    proxy.write(agent=True)
    status, said = proxy.check()
    assert status == 1
    assert "/nonexistent/synapse.conf.json" in said


def test_keys_that_the_agent_does_not_need_are_told_in_one_line(
        sandbox, healthy, path):
    proxy = sandbox.haproxy([Backend(
        hosts=[healthy.hosts], path=path,
        haproxy={"port": 3213, "backend_order": "asc"})], synapse={})
    assert len(proxy.process.lines("ignored.*do_reloads")) <= 1
    status, said = proxy.check()
    assert status == 0
    [line] = re.findall(".*do_reloads.*", said)
    assert "backend_order" in line and "port" not in line


def test_the_first_log_line_names_the_version(sandbox, healthy, path):
    proxy = sandbox.haproxy([web(healthy, path)])
    lines = wait.until(lambda: proxy.process.lines("synapse: "), 10,
                       "the agent logs")
    with open(f"{program.ROOT}/VERSION") as file:
        assert file.read().strip() in lines[0]
