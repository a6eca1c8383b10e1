"""The sandbox's pure modules, for tests."""

import importlib.util
import os

import program


def load(name):
    """Loads a pure module of the sandbox. The sandbox has modules with the
    same names as ours, so its folder is not in sys.path."""
    spec = importlib.util.spec_from_file_location(
        f"demo_{name}", os.path.join(program.ROOT, "demo", f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
