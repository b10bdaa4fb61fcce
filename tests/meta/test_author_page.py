# SPDX-License-Identifier: Apache-2.0
"""The page for driver authors keeps what it says: its driver passes its test."""

import re
import subprocess
import sys


def test_the_driver_of_the_author_page_passes_the_conformance_kit(root, tmp_path):
    page = (root / "docs/driver-author/index.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "test_page.py").write_text("\n".join(blocks), encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")

    command = [sys.executable, "-m", "stratoplane.testing.report", "report", str(tmp_path / "test_page.py")]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "# TestFolderStorage: test_page:FolderStorageDriver" in answer.stdout
    assert "| Idempotency | 3 | 0 | 0 |" in answer.stdout
