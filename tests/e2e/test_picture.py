"""The script that makes the README's picture."""

import struct

import picture
from demo_network import NETWORK

# A page that shows nothing has less.
LEAST = 30000


def test_the_picture_shows_the_page_of_the_running_demo(sandbox):
    file = sandbox.path("status.png")
    picture.take(sandbox, NETWORK, file)
    with open(file, "rb") as image:
        data = image.read()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (
        picture.WIDTH, picture.HEIGHT)
    assert len(data) > LEAST
