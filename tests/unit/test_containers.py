"""The files of the images and of the examples with them, read as text:
tests/images builds and runs them, which takes minutes."""

import json
import os
import re

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
DOCUMENT = "haproxy/CONTAINERS.md"
FILES = {"haproxy": "haproxy/image/Containerfile",
         "nerve": "nerve/image/Containerfile"}


def read(name):
    with open(os.path.join(ROOT, name)) as file:
        return file.read()


def variables(containerfile):
    """The variables that an image sets, with their values."""
    text = read(containerfile).replace("\\\n", "")
    return dict(word.split("=", 1)
                for line in re.findall(r"^ENV (.*)$", text, re.M)
                for word in line.split())


def documented(section):
    """The variables and defaults of a table of the document."""
    part = read(DOCUMENT).split(f"### {section}\n")[1].split("\n#")[0]
    return dict(re.findall(r"^\| `([A-Z_]+)` \| (?:`([^`]*)`)?", part, re.M))


def test_each_variable_of_an_image_is_documented_with_its_default():
    for name, file in FILES.items():
        table = documented(f"Variables of myelin-{name}")
        assert {key: value for key, value in table.items()
                if key in variables(file)} == variables(file)


def test_container_cfg_uses_only_variables_that_somebody_sets():
    used = set(re.findall(r"\$\{(\w+)", read("haproxy/image/container.cfg")))
    by_the_agent = {"SYNAPSE_ADMIN", "SYNAPSE_SERVERS"}
    assert used - by_the_agent <= set(variables(FILES["haproxy"]))


def test_both_images_build_the_packages_in_the_same_way():
    """So the second takes what the first has built."""
    first, second = (read(file).split("FROM $BASE AS build")[1]
                     .split("\nFROM ")[0] for file in FILES.values())
    assert first == second


def test_the_sandbox_has_the_nodes_of_the_tutorial():
    compose = read("demo/compose/compose.yaml")
    for name, number in (("zookeeper1", 101), ("zookeeper2", 111),
                         ("zookeeper3", 112), ("service_a_node_1", 102),
                         ("service_a_node_2", 104), ("service_b_node_1", 103)):
        assert re.search(rf"^  {name}:\n(    .*\n)*?.*"
                         rf"ipv4_address: 10\.201\.7\.{number}\b", compose,
                         re.M), name


def test_the_configurations_beside_the_images_are_json():
    for name in ("nerve/image/nerve.conf.json",
                 "demo/compose/service_a/nerve.conf.json",
                 "demo/compose/service_b/nerve.conf.json",
                 "demo/compose/haproxy/synapse.conf.json"):
        json.loads(read(name))
