"""tests/mutate/mutate.py: what becomes of a fault."""

import os
import queue
import select
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__),
                                "..", "..", "mutate"))

import mutate  # noqa: E402


class Laboratory:
    """Says of each fault what it is told to, and never works on two."""

    def __init__(self):
        self.busy = False

    def attempt(self, fault):
        assert not self.busy
        self.busy = True
        try:
            if isinstance(fault, Exception):
                raise fault
            return fault
        finally:
            self.busy = False


def fates(found, most, jobs=2):
    free = queue.SimpleQueue()
    for _ in range(jobs):
        free.put(Laboratory())
    return [fate for _, fate in mutate.fates(found, most, free)]


def test_counts_only_what_compiles_to_other_code():
    assert fates([mutate.SAME, mutate.NOTICED, mutate.BROKEN, mutate.SURVIVED, mutate.LATE],
                 9) == [mutate.NOTICED, mutate.SURVIVED, mutate.LATE]


def test_ends_with_as_many_as_are_asked_for():
    found = [mutate.BROKEN, *[mutate.NOTICED] * 50]
    for jobs in (1, 3):
        assert fates(found, 7, jobs) == [mutate.NOTICED] * 7
    assert not fates([], 7)


def test_an_error_of_the_script_is_no_fate():
    try:
        fates([mutate.NOTICED, mutate.Failed(b"no compiler")], 2)
    except mutate.Failed as failed:
        assert failed.args == (b"no compiler",)
    else:
        raise AssertionError("the error is lost")


def test_the_score_counts_an_endless_test_as_one_that_noticed():
    assert mutate.score("a", {mutate.NOTICED: 5, mutate.LATE: 1, mutate.SURVIVED: 2}) == \
        " 75.0 %  a: 6 of 8 noticed, 1 of them by their time"
    assert mutate.score("b", {mutate.NOTICED: 1, mutate.LATE: 0, mutate.SURVIVED: 0}) == \
        "100.0 %  b: 1 of 1 noticed"


def test_the_same_seed_chooses_the_same_faults():
    paths = mutate.sources(["nerve/services"])
    assert paths and all(path.startswith("nerve/services/") for path in paths)
    first = mutate.chosen(paths, 1)
    assert mutate.chosen(paths, 1) == first
    assert mutate.chosen(paths, 2) != first


def test_a_harmless_fault_is_one_of_the_source_and_is_not_tried():
    listed = mutate.harmless()
    paths = sorted({what.partition(":")[0] for what, _ in listed})
    texts = {path: mutate.read(os.path.join(mutate.TOP, path))
             for path in paths}

    def names(found):
        return {mutate.named(fault, texts[fault.path].splitlines())
                for fault in found}

    known = names(fault for path in paths
                  for fault in mutate.faults(path, texts[path]))
    assert listed and listed <= known
    assert names(mutate.chosen(paths, 1)) == known - listed


def test_a_path_without_source_is_an_error_that_names_it():
    try:
        mutate.sources(["nerve/nosuchfolder"])
    except mutate.Failed as failed:
        assert b"nerve/nosuchfolder (a file or folder below csrc, nerve, lua" \
            in failed.args[0]
    else:
        raise AssertionError("nothing is wrong with it")


def test_two_never_use_the_copies_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(mutate, "COPIES", str(tmp_path / "mutate"))
    with mutate.lock():
        try:
            mutate.lock()
        except mutate.Failed as failed:
            assert b"another `make mutate` runs" in failed.args[0]
        else:
            raise AssertionError("both have them")
    mutate.lock().close()


def test_a_test_sees_no_process_and_no_file_of_others(tmp_path):
    done = mutate.run((*mutate.SANDBOX, str(tmp_path), "sh", "-c",
                    "kill -0 $$ && test $$ -lt 10 && ! test -e /proc/"
                    f"{os.getpid()}/fd && touch /tmp/left"), "/")
    assert done.good, done.output
    assert os.listdir(tmp_path) == ["left"]
    assert not os.path.exists("/tmp/left")


def test_what_is_late_is_ended_with_all_that_it_started(tmp_path):
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    done = mutate.run((*mutate.SANDBOX, "/tmp", "sh", "-c",
                    f"exec 9>{fifo}; setsid tail -f /dev/null & wait"), "/", 1)
    assert done.late
    # Readable: its last writer is gone.
    assert select.select([reader], [], [], 30)[0]
    assert os.read(reader, 1) == b""
    os.close(reader)
