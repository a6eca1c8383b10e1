"""Every directive of HAProxy that affects servers, used with slots.
haproxy/README.md has a verdict on each; each is tried here on this machine's
HAProxy."""

import csv
import io
import re
import subprocess

import pytest

import address
import program
import wait
from certificates import Authority
from haproxy import CHECKED, Backend, version
from zookeeper import register

# Keywords that not every HAProxy has: (first version, words).
SINCE = {(2, 8): ("shard", "curves", "sigalgs", "client-sigalgs"),
         (3, 0): ("guid", "log-bufsize", "hash-key", "pool-conn-name",
                  "set-proxy-v2-tlv-fmt"),
         (3, 2): ("idle-ping", "check-reuse-pool", "check-pool-conn-name",
                  "no-check-reuse-pool", "strict-maxconn", "init-state")}
# With these the test's service cannot be reached, or not be checked.
OTHER_PEER = re.compile(
    r"\b(ssl|socks4|send-proxy\S*|proto h2|check-(ssl|proto|send-proxy|"
    r"via-socks4|alpn)|check addr|redir|track|external-check)\b")
# What else a directive needs.
BESIDE = {"check check-proto h2": ["option httpchk GET /health"],
          "http-check expect status 200": ["option httpchk GET /health"],
          "dynamic-cookie-key secret": ["cookie SRV insert dynamic"],
          "cookie SRV insert dynamic": ["dynamic-cookie-key secret"],
          "stick on src": ["stick-table type ip size 1k"],
          "stick-table type ip size 1k": ["stick on src"],
          "stick-table type ip size 1k srvkey addr": ["stick on src"],
          "hash-type consistent": ["balance source"],
          "hash-balance-factor 150": ["balance source",
                                      "hash-type consistent"],
          "server-state-file-name \"${SYNAPSE_SERVERS}\"":
              ["load-server-state-from-file local"],
          "persist rdp-cookie(msts)": ["mode tcp"],
          "balance rdp-cookie(x)": ["mode tcp"],
          "email-alert from a@example.org": ["email-alert mailers mx",
                                             "email-alert to b@example.org"],
          "email-alert to b@example.org": ["email-alert mailers mx",
                                           "email-alert from a@example.org"],
          "email-alert mailers mx": ["email-alert to b@example.org",
                                     "email-alert from a@example.org"]}
VERDICTS = {"works", "differs", "refused", "not tried"}
SEVERAL = 8  # directives of `global`


def readme():
    with open(f"{program.ROOT}/haproxy/README.md") as file:
        return file.read()


def rows(place):
    """Returns the directives of one table, each with its verdict."""
    table = readme().split(f"| {place} | verdict |")[1].split("\n\n")[0]
    for cells in re.findall(r"^\| (`.*?) \| ([a-z ]+) \|", table, re.M):
        for directive in re.findall(r"`([^`]+)`", cells[0]):
            yield directive, cells[1]


def of(place, *verdicts):
    return [directive for directive, verdict in rows(place)
            if verdict in verdicts and is_known(directive)]


def is_known(directive):
    """Tells whether this machine's HAProxy knows it."""
    later = [word for first, words in SINCE.items() if first > version()
             for word in words]
    return not any(re.search(rf"(^|\s){word}(\s|\(|$)", directive)
                   for word in later)


def keywords(sandbox):
    """Returns a server's keywords, as HAProxy itself lists them."""
    file = sandbox.write("empty.cfg", "defaults\n")
    shown = subprocess.run(["haproxy", "-dKcfg", "-q", "-c", "-f", file],
                           text=True, capture_output=True, check=False,
                           timeout=30 * wait.FACTOR).stdout
    return set(re.findall(r"^\tserver <name> <addr> ([\w-]+)", shown, re.M))


def test_each_row_has_a_verdict_and_no_directive_has_two():
    for place in ("on a slot", "in the backend", "in global"):
        found = list(rows(place))
        assert len(found) >= SEVERAL
        assert {verdict for _, verdict in found} <= VERDICTS
        names = [directive for directive, _ in found]
        assert len(names) == len(set(names)), sorted(names)


def test_each_keyword_of_a_server_that_this_haproxy_has_is_in_the_table(
        sandbox):
    """A newer HAProxy has newer keywords: this test names those that nobody
    has tried."""
    found = keywords(sandbox)
    assert len(found) > 80
    told = {word.split("(")[0] for directive, _ in rows("on a slot")
            for word in directive.split()}
    assert found - told == set()


class Tried:
    """Directives on one HAProxy: one backend for each, all for the same
    path."""

    def __init__(self, sandbox, zookeeper, path, service):
        self._hosts, self._path = zookeeper.addresses, path
        self._sandbox = sandbox
        self._service = service
        self._pem = Authority(sandbox, "web").certificate("web.example")
        self.backends = {}

    def add(self, directive, lines=(), server=CHECKED, slots=2):
        mode = ["mode tcp"] if "mode tcp" in lines else []
        text = server.replace("/etc/haproxy/web.pem", self._pem)
        self.backends[directive] = Backend(
            name=f"b{len(self.backends)}", hosts=self._hosts, path=self._path,
            slots=slots, server=text, lines=list(lines), front=mode,
            service={"use_previous_backends": False})

    def start(self, extra=(), **options):
        """Starts it, with what the directives name: a resolver, a mailer, a
        server."""
        after = ["resolvers local", "  nameserver one 127.0.0.1:53",
                 "mailers mx", f"  mailer one 127.0.0.1:{address.port()}",
                 "backend other", f"  server o1 {self._service.address} check"]
        return self._sandbox.haproxy(
            list(self.backends.values()), extra=extra, after=after, **options)


def assert_slots_take_it_and_give_it_up(tried, proxy, client, path, service):
    """Asserts that its slot is filled, serves, and is emptied again."""
    znode = register(client, path, service.payload("one"))

    def not_filled():
        servers = all_servers(proxy)
        return [directive for directive, backend in tried.backends.items()
                if not any(row["addr"] == service.address and in_use(row)
                           for row in servers[backend.name])]
    until_none(not_filled, "filled")
    for directive, backend in tried.backends.items():
        if not OTHER_PEER.search(directive):
            wait.until(lambda b=backend: answer(proxy, b) == (200, "one"), 20,
                       f"{directive}: a request is answered")
    client.delete(znode)

    def not_empty():
        servers = all_servers(proxy)
        return [directive for directive, backend in tried.backends.items()
                if any(map(in_use, servers[backend.name]))]
    until_none(not_empty, "empty")


def until_none(wrong, what):
    """Waits until no directive is wrong. Names those that stay wrong."""
    try:
        wait.until(lambda: not wrong(), 60, f"every backend is {what}")
    except wait.Late:
        assert wrong() == [], f"not {what}"


def all_servers(proxy):
    """Returns the servers of every backend by its name, from `show stat`."""
    found = {}
    text = proxy.ask("show stat -1 4 -1").lstrip("# ")
    for row in csv.DictReader(io.StringIO(text)):
        found.setdefault(row["pxname"], []).append(row)
    return found


def in_use(row):
    """Tells whether a server is up or down, but not in maint."""
    return not row["status"].startswith("MAINT")


def answer(proxy, backend):
    try:
        return proxy.get(port=backend.port)
    except (OSError, IndexError, ValueError):
        return None


def test_what_works_on_a_slot_works(sandbox, healthy, witness, path):
    one = sandbox.service("one")
    tried = Tried(sandbox, healthy, path, one)
    for directive in of("on a slot", "works", "differs"):
        directive_here = directive.replace("port 8000", f"port {one.port}")
        checked = "" if "check" in directive or directive == "track other/o1" \
            else f"{CHECKED} "
        if OTHER_PEER.search(directive) and "check" not in directive:
            checked = ""
        tried.add(directive, BESIDE.get(directive, []),
                  f"{checked}{directive_here}".replace("check addr 127.0.0.1",
                                                       f"{CHECKED} addr "
                                                       "127.0.0.1"))
    assert len(tried.backends) > 70
    proxy = tried.start()
    assert_slots_take_it_and_give_it_up(tried, proxy, witness, path, one)


# HAProxy refuses these on a server that is added, or they are not for several.
NOT_ADDED = {
    "check addr 127.0.0.1", "enabled", "guid web", "id 77", "log-bufsize 1000",
    "log-proto octet-count", "max-reuse 10", "no-agent-check", "no-check",
    "no-check-reuse-pool", "no-check-send-proxy", "no-check-ssl",
    "no-send-proxy-v2-ssl", "no-send-proxy-v2-ssl-cn", "no-ssl", "non-stick",
    "proto h1", "proto h2", "redir http://127.0.0.1", "resolve-net 10.0.0.0/8",
    "resolve-opts allow-dup-ip", "resolve-prefer ipv4",
    "socks4 127.0.0.1:1080", "ssl verify none ssl-reuse", "stick", "tcp-ut 10s"}


def test_slots_are_added_with_each_keyword_that_haproxy_takes_there(
        sandbox, healthy, witness, path):
    """`no-send-proxy-v2-ssl` once passed at load, and HAProxy refused it when
    a slot was needed."""
    services = [sandbox.service("one"), sandbox.service("two")]
    tried = Tried(sandbox, healthy, path, services[0])
    for directive in of("on a slot", "works", "differs"):
        # Of slots with TLS only those that verify are added.
        verified = directive.replace("verify none",
                                     "verify required ca-file @system-ca")
        tried.add(directive, BESIDE.get(directive, []), verified, slots=1)
    proxy = tried.start()
    left_out = {directive for directive, backend in tried.backends.items()
                if proxy.process.lines(rf"\.{backend.name}\..*no slots can")}
    assert left_out == set(filter(is_known, NOT_ADDED))
    for service in services:
        register(witness, path, service.payload(service.name))

    def not_added():
        servers = all_servers(proxy)
        return [directive for directive, backend in tried.backends.items()
                if directive not in left_out and
                len(servers[backend.name]) < 2]
    until_none(not_added, "larger")


def test_what_works_in_a_backend_works(sandbox, healthy, witness, path):
    one = sandbox.service("one")
    tried = Tried(sandbox, healthy, path, one)
    for directive in of("in the backend", "works", "differs"):
        tried.add(directive, [*BESIDE.get(directive, []), directive])
    assert len(tried.backends) > 40
    proxy = tried.start()
    assert_slots_take_it_and_give_it_up(tried, proxy, witness, path, one)


def test_what_works_in_global_works(sandbox, healthy, witness, path):
    one = sandbox.service("one")
    tried = Tried(sandbox, healthy, path, one)
    tried.add("plain")
    lines = [directive for directive in of("in global", "works", "differs")]
    proxy = tried.start(extra=lines)
    assert_slots_take_it_and_give_it_up(tried, proxy, witness, path, one)


REASONS = {
    "agent-check agent-port 9999": "`agent-check` takes slots in and out",
    "check track other/o1": "tracking",
    "init-addr none": "has no address without `init-addr last,127.0.0.1`",
    "resolvers local": "would have HAProxy ask DNS",
    "option external-check": "lockdown: ",
    "dispatch 127.0.0.1:9": "sends everything to its own address",
    "option transparent": "nothing to a slot",
    "load-server-state-from-file local": "a file that is not the agent's",
    "server-state-file /var/lib/haproxy/state":
        "a file that is not the agent's",
    "tune.lua.task-timeout 10s": "would end the agent",
    "lua-load-per-thread": "instead of `lua-load-per-thread`",
}


def refused():
    return [(place, directive)
            for place in ("on a slot", "in the backend", "in global")
            for directive, verdict in rows(place) if verdict == "refused"]


@pytest.mark.parametrize("place, directive", refused())
def test_what_is_refused_fails_the_check_and_the_start(
        place, directive, sandbox, healthy, path):
    one = sandbox.service("one")
    tried = Tried(sandbox, healthy, path, one)
    lines = [directive] if place == "in the backend" else []
    tried.add(directive, lines, directive if place == "on a slot" else "check")
    proxy = tried.start(start=False, synapse={"lockdown": True})
    if place == "in global":
        with open(proxy.file) as file:
            text = file.read()
        with open(proxy.file, "w") as file:
            file.write(text.replace("lua-load ", f"{directive} ")
                       if directive == "lua-load-per-thread" else
                       text.replace("global\n", f"global\n  {directive}\n",
                                    1))
    status, said = proxy.check()
    assert status == 1 and REASONS[directive] in said, said
    proxy.begin()
    assert proxy.process.ended(20) != 0


# In the packages all of this is below `.if`. `haproxy -c` once accepted there
# a configuration that did not start at the reload.
WITHOUT = {
    "the backend": (r"backend web\n(  .*\n)+", "", "backend web is not in"),
    "its slots": (r"  (server-template|load-server).*\n", "", "backend web has no slots"),
    "their disabled": (r" disabled\n", "\n", "its slots are not `disabled`"),
    "the place of its slots": (r" init-addr last,127.0.0.1", "",
                               "write that"),
    "the private socket": (r"  stats socket \"\$\{SYNAPSE.*\n", "",
                           'add `stats socket "${SYNAPSE_ADMIN}" level admin`'),
    "the rights of that": (r'(SYNAPSE_ADMIN\}") level admin', r"\1",
                           "no right to change servers"),
}


@pytest.mark.parametrize("what", WITHOUT)
def test_haproxy_c_says_what_would_not_work_also_below_a_condition(
        what, sandbox, healthy, path):
    pattern, replacement, said_then = WITHOUT[what]
    proxy = sandbox.haproxy([Backend(hosts=healthy.addresses, path=path)],
                            start=False)
    with open(proxy.file) as file:
        text = f".if !defined(NOBODY)\n{file.read()}.endif\n"
    for content, status, part in (
            (text, 0, ""), (re.sub(pattern, replacement, text), 1, said_then)):
        with open(proxy.file, "w") as file:
            file.write(content)
        found, said = proxy.check()
        assert found == status and part in said, said
    proxy.begin()
    assert proxy.process.ended(20) != 0


def test_a_static_balance_leaves_weights_and_drains(
        sandbox, healthy, witness, path):
    """HAProxy refuses them. This once left the instance pending for ever, and
    the agent asked HAProxy again each minute."""
    one = sandbox.service("one")
    proxy = sandbox.haproxy([Backend(
        hosts=healthy.addresses, path=path, lines=["balance source"],
        haproxy={"use_nerve_weights": True})])
    proxy.process.says("`balance source` takes no weights at run time")
    znode = register(witness, path, one.payload("one", weight=10))
    proxy.serves([one])
    assert proxy.weights() == {one.address: 1}
    assert not proxy.process.lines("refused")
    witness.set(znode, one.payload("one", weight=0))
    wait.until(lambda: proxy.weights() == {one.address: 0}, 20, "it drains")
