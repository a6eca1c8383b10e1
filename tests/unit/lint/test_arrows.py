"""Tests of tests/lint/arrows.py, on trees that each test makes."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../lint"))
import arrows  # noqa: E402  pylint: disable=wrong-import-position


class Arrows(unittest.TestCase):
    """What is refused, and how it is told."""

    def check(self, files):
        """Returns the faults of a tree of <files>, {path: text}."""
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                place = os.path.join(root, path)
                os.makedirs(os.path.dirname(place), exist_ok=True)
                with open(place, "w", encoding="utf-8") as file:
                    file.write(text)
            return arrows.check(root, arrows.arrows(arrows.ARROWS))

    def test_an_include_along_the_arrows_is_allowed(self):
        self.assertEqual([], self.check({
            "nerve/daemon.c": '#include "nerve/services/services.h"\n',
            "nerve/services/services.c": '#include "csrc/base/queue.h"\n',
            "csrc/base/queue.c": '#include "csrc/base/queue.h"\n'}))

    def test_an_include_upward_names_its_line_and_what_is_allowed(self):
        self.assertEqual(
            ["nerve/config/read.c:2: nerve/config may not use nerve/services; "
             "it may use csrc/base, csrc/zookeeper, nerve/log"],
            self.check({"nerve/config/read.c":
                        '#include <stdio.h>\n'
                        '#include "nerve/services/services.h"\n'}))

    def test_folders_beside_each_other_may_not_use_each_other(self):
        fault, = self.check({"nerve/observe/metrics.c":
                             '#include "nerve/operator/status.h"\n'})
        self.assertIn("nerve/observe may not use nerve/operator", fault)

    def test_a_require_upward_is_refused(self):
        fault, = self.check({"lua/synapse/service/wanted.lua":
                             'local agent = require("synapse.agent")\n'})
        self.assertIn("wanted.lua:1: lua/service may not use lua/agent", fault)

    def test_a_require_in_a_comment_is_none(self):
        self.assertEqual([], self.check({
            "lua/synapse/service/wanted.lua":
            '-- local agent = require("synapse.agent")\n'}))

    def test_a_folder_that_no_arrow_names_is_refused(self):
        self.assertEqual(["nerve/util/text.c:1: no arrow names nerve/util"],
                         self.check({"nerve/util/text.c": "\n"}))

    def test_files_in_a_ring_are_refused(self):
        self.assertEqual(
            ["nerve/config/read and nerve/config/value use each other"],
            self.check({
                "nerve/config/read.c": '#include "nerve/config/value.h"\n',
                "nerve/config/value.c": '#include "nerve/config/read.h"\n'}))
        self.assertEqual(
            ["lua/synapse/service/a and lua/synapse/service/b use each other"],
            self.check({
                "lua/synapse/service/a.lua": 'require("synapse.service.b")\n',
                "lua/synapse/service/b.lua": 'require "synapse.service.a"\n'}))

    def test_what_one_file_alone_may_include_is_refused_elsewhere(self):
        for path, line in (
                ("csrc/zookeeper/session.c",
                 "#include <zookeeper/zookeeper.h>"),
                ("csrc/base/queue.c", "#include <lua.h>"),
                ("nerve/checks/tcp.c", "#include <curl/curl.h>"),
                ("nerve/register/plan.h", "#include <jansson.h>"),
                ("lua/synapse/agent.lua", "core.Info(text)")):
            fault, = self.check({path: line + "\n"})
            self.assertRegex(fault, path + ":1: .* alone")
        self.assertEqual([], self.check({
            "csrc/zookeeper/handle.c": "#include <zookeeper/zookeeper.h>\n",
            "csrc/lua/module.c": "#include <lua.h>\n",
            "nerve/checks/http.c": "#include <curl/curl.h>\n",
            "nerve/config/read.h": "#include <jansson.h>\n",
            "lua/synapse/haproxy/runtime.lua": "core.Info(text)\n"}))
