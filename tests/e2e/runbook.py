"""What breaks before each page of the runbook (haproxy/OPERATE.md) is
followed, by the page's heading."""

import json
import os

import packages
import wait
from certificates import Authority
from packages import run

LATER = f"{packages.version_here()}.1"
THREE = ("one", "two", "three")
# A disk that a test may fill. ZooKeeper's files are mostly holes.
SMALL = """
systemctl stop {unit}
cp -a {place} /root/kept
mount -t tmpfs -o size={size},mode=700 none {place}
chown --reference=/root/kept {place}
cp -a /root/kept/. {place}
rm -r /root/kept
systemctl start {unit}
"""
FILL = "dd if=/dev/zero of={place}/large bs=4k 2>/dev/null || true"
CHANGE = ("nerve ctl disable web --reason test --drain 0; "
          "nerve ctl enable web")
MODE = "echo srvr | socat - TCP:127.0.0.1:2181 | grep Mode"


def services_end(machines, _):
    for name in THREE:
        machines[name].output("systemctl", "stop", "web")


def one_server_dies(machines, _):
    machines["three"].output("systemctl", "stop", "zookeeper")


def all_servers_die(machines, _):
    for name in THREE:
        machines[name].output("systemctl", "stop", "zookeeper")


def data_is_lost(machines, _):
    all_servers_die(machines, _)
    for name in THREE:
        sh(machines[name], "rm -r /var/lib/zookeeper/version-2")
    for name in THREE:
        machines[name].output("systemctl", "start", "zookeeper")


def a_new_machine(machines, guide):
    """The machine four, with what the page says that it has."""
    machines.boot("four")
    for heading in ("Install", "ZooKeeper"):
        machines.follow(guide[heading], "four")


def newer_packages(machines, _):
    """Copies packages of a later version to machine two: those of this one
    under another number."""
    newer = {}
    for name, deb in machines.debs.items():
        folder = f"{os.path.dirname(deb)}/newer-{name}"
        newer[name] = f"{folder}.deb"
        run("dpkg-deb", "-R", deb, folder)
        run("sed", "-i", f"s/^Version: .*/Version: {LATER}/",
            f"{folder}/DEBIAN/control")
        run("dpkg-deb", "-b", folder, newer[name])
    machines.copy(newer, "two", "new")


def disk_is_full(machines, _):
    """The agent has something to write and no room."""
    two, place = machines["two"], "/var/lib/synapse"
    sh(two, SMALL.format(unit="haproxy", place=place, size="1m"))
    sh(two, "synapsectl wait web --ready 3")
    sh(two, FILL.format(place=place))
    sh(machines["three"], CHANGE)
    wait.until(lambda: not two.tries(
        "sh", "-c", "curl -s http://127.0.0.1:3214/metrics | "
        "grep '^synapse_snapshot_failing 1'").returncode, 60,
        "the snapshot cannot be written")


def disk_of_a_server_is_full(machines, _):
    three, place = machines["three"], "/var/lib/zookeeper"
    sh(three, SMALL.format(unit="zookeeper", place=place, size="32m"))
    wait.until(lambda: not three.tries("sh", "-c", MODE).returncode, 60,
               "it serves from the new disk")
    sh(three, FILL.format(place=place))
    wait.until(lambda: _serves_no_more(machines), 60, "it serves no more")


def _serves_no_more(machines):
    """Has ZooKeeper write, until the block that the log has is full."""
    machines["two"].tries("sh", "-c", CHANGE)
    return machines["three"].tries("sh", "-c", MODE).returncode


def a_certificate_ends(machines, _):
    two = machines["two"]
    authority = Authority(machines.sandbox, "authority")
    for name, days in (("first", 1), ("ended", -1), ("new", 30)):
        with open(authority.certificate("tls", days)) as file:
            _write(two, f"/root/{name}.pem", file.read())
    with open(authority.file) as file:
        _write(two, "/etc/nerve/ca.pem", file.read())
    with open(f"{two.root}/etc/nerve/nerve.conf.json") as file:
        settings = json.load(file)
    settings["services"]["tls"] = {
        **settings["services"]["web"], "port": 8443,
        "zk_path": "/nerve/services/tls/services",
        "checks": [{"type": "http", "ssl": True, "uri": "/health",
                    "timeout": 10, "ca_file": "/etc/nerve/ca.pem",
                    "sni": "tls", "rise": 1, "fall": 1}]}
    _write(two, "/etc/nerve/nerve.conf.json", json.dumps(settings))
    sh(two, """
cat >>/etc/haproxy/haproxy.cfg <<END

listen tls
    bind :8443 ssl crt /etc/haproxy/tls.pem
    server web 127.0.0.1:8000
END
install -m 600 /root/first.pem /etc/haproxy/tls.pem
systemctl reload haproxy nerve""")
    wait.until(lambda: not two.tries(
        "nerve", "ctl", "wait", "tls", "--up").returncode, 60,
        "nerve registers tls")
    sh(two, """
install -m 600 /root/ended.pem /etc/haproxy/tls.pem
systemctl reload haproxy""")


def _write(machine, place, text):
    with open(machine.root + place, "w") as file:
        file.write(text)


def sh(machine, script):
    """Runs a script that must succeed."""
    machine.output("bash", "-ec", script)


BREAKS = {
    "A service is down or degraded": services_end,
    "A ZooKeeper server dies": one_server_dies,
    "All ZooKeeper servers die": all_servers_die,
    "ZooKeeper has lost its data": data_is_lost,
    "A ZooKeeper server moves": a_new_machine,
    "Myelin is upgraded": newer_packages,
    "The disk is full": disk_is_full,
    "The disk of a ZooKeeper server is full": disk_of_a_server_is_full,
    "A certificate ends": a_certificate_ends,
}
