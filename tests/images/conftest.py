"""The images are built once; everything else is as in tests/e2e."""

import os
import shutil
import sys

import pytest

E2E = os.path.join(os.path.dirname(__file__), "..", "e2e")
sys.path[:0] = [os.path.dirname(__file__), E2E]

import podman as podman_module  # noqa: E402
from namespace import Namespace  # noqa: E402
from sandbox import Sandbox  # noqa: E402


def pytest_sessionstart():
    lacks = [name for name in ("mmdebstrap", "node", "npm", "podman", "runc")
             if not shutil.which(name)]
    if lacks:
        pytest.exit(f"the images' tests need {', '.join(lacks)} "
                    "(try: make deps-soak)", 3)


@pytest.fixture(scope="session")
def images():
    podman_module.build()


@pytest.fixture
def sandbox(images):
    made = Sandbox()
    yield made
    troubles = made.close()
    text = "\n".join(f"--- {name}\n{log}" for name, log in made.logs())
    made.remove()
    assert not troubles, f"{troubles}\n{text}"


@pytest.fixture
def network(sandbox):
    return Namespace(sandbox)


@pytest.fixture
def podman(sandbox, network):
    return podman_module.Podman(sandbox, network)
