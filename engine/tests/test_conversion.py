# SPDX-License-Identifier: Apache-2.0
"""Threads that begin together read values of classes that nobody has read before."""

import subprocess
import sys

PROGRAM = """
import sys, threading
from dataclasses import field, make_dataclass
from {module} import convert

sys.setswitchinterval(1e-6)
for round in range(60):
    inner = [make_dataclass(f"Inner{{number}}", [("a", int), ("b", str)]) for number in range(30)]
    outer = make_dataclass("Outer", [(f"m{{number}}", each) for number, each in enumerate(inner)])
    document = {{f"m{{number}}": {{"a": 1, "b": "x"}} for number in range(30)}}
    together = threading.Barrier(8)

    def read():
        together.wait()
        for _ in range(20):
            assert convert(document, outer).m29.a == 1

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def run(module: str) -> int:
    program = PROGRAM.format(module=module)
    return subprocess.run([sys.executable, "-c", program], check=False, timeout=120).returncode


def test_a_class_is_made_known_by_one_thread_before_any_uses_it() -> None:
    assert run("stratoplane_engine.model.conversion") == 0
