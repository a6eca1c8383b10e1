"""Which slot an instance gets, and what moves there with it."""

import http.client

import wait
from haproxy import CHECKED, web
from zookeeper import register

COOKIES = ["cookie SRV insert indirect dynamic", "dynamic-cookie-key a-secret"]
SLOWSTART = 3


def ask(proxy, cookie=None):
    """Sends one request. Returns who answered, and the cookie that it set or
    None."""
    connection = http.client.HTTPConnection(proxy.host, proxy.port,
                                            timeout=5 * wait.FACTOR)
    try:
        connection.request("GET", "/", headers={"Cookie": f"SRV={cookie}"}
                           if cookie else {})
        answer = connection.getresponse()
        found = (answer.getheader("Set-Cookie") or "").split(";")[0]
        return answer.read().decode(), found.partition("=")[2] or None
    finally:
        connection.close()


def cookie_of(proxy, service):
    """Returns the cookie that a new client gets for an instance."""
    return wait.until(lambda: dict([ask(proxy)]).get(service.name), 10,
                      f"{service.name} answers, with a cookie")


def bound(proxy, cookie, service):
    """Asserts that this instance answers many requests with this cookie."""
    assert {ask(proxy, cookie) for _ in range(20)} == {(service.name, None)}


def test_a_cookie_follows_the_instance_from_slot_to_slot(
        sandbox, healthy, witness, path):
    one, two, other = (sandbox.service(name) for name in ("one", "two",
                                                          "other"))
    proxy = sandbox.haproxy([web(healthy, path, slots=2, lines=COOKIES,
                                 haproxy={"server_options": None})])
    nodes = [register(witness, path, it.payload(it.name))
             for it in (one, two)]
    proxy.serves([one, two])
    slot = proxy.slots()[one.address]
    cookie = cookie_of(proxy, one)
    bound(proxy, cookie, one)
    witness.delete(nodes[0])
    proxy.serves([two])
    register(witness, path, other.payload("other"))
    proxy.serves([two, other])
    assert proxy.slots()[other.address] == slot
    assert cookie_of(proxy, other) != cookie
    witness.delete(nodes[1])
    proxy.serves([other])
    register(witness, path, one.payload("one"))
    proxy.serves([one, other])
    assert proxy.slots()[one.address] != slot
    bound(proxy, cookie, one)


def test_an_added_slot_has_a_cookie_of_its_instance_too(
        sandbox, healthy, witness, path):
    one, two = sandbox.service("one"), sandbox.service("two")
    proxy = sandbox.haproxy([web(healthy, path, slots=1, lines=COOKIES)])
    for it in (one, two):
        register(witness, path, it.payload(it.name))
    proxy.serves([one, two])
    for it in (one, two):
        bound(proxy, cookie_of(proxy, it), it)


def test_slow_start_works_on_a_slot_and_on_an_added_one(
        sandbox, healthy, witness, path):
    options = f"{CHECKED} weight 100 slowstart {SLOWSTART}s"
    services = [sandbox.service(name) for name in ("one", "two")]
    proxy = sandbox.haproxy([web(healthy, path, slots=1, server=options)])
    for slot, service in zip(("s1", "s2"), services):
        register(witness, path, service.payload(service.name))
        wait.until(lambda: 0 < throttle(proxy, slot) < 100, 10,
                   f"{slot} gets a part of its traffic")
        wait.until(lambda: throttle(proxy, slot) == 100, 10 + SLOWSTART,
                   f"{slot} gets all of it")
    proxy.serves(services)


def throttle(proxy, slot):
    """Returns how much of its traffic a server gets, in percent; 0 without
    slowstart."""
    row = proxy.servers().get(slot)
    if not row or not row["status"].startswith("UP"):
        return 0
    return int((row["throttle"] or "100").rstrip("%"))
