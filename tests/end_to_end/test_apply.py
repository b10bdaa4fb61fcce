# SPDX-License-Identifier: Apache-2.0
"""Files that are applied and commands that are run twice, against the real platform."""

from pathlib import Path
from typing import Any

from tests.end_to_end.conftest import Shell

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqfMMYtQKbzYbqPTxMm1wwUJC2FnzcdIIRq0Gk0c7nL alice@laptop"
APPLIED = f"""\
kind: vm
name: web-1
flavor: small
image: mock-linux
network_ids: [front]
volume_ids: [data]
key_pair: alice
labels: {{app: shop}}
---
{{kind: network, name: front, cidr: 10.20.0.0/24, labels: {{app: shop}}}}
---
{{kind: volume, name: data, size_gib: 5, image: mock-linux, labels: {{app: shop}}}}
---
{{kind: key, name: alice, public_key: {PUBLIC_KEY}}}
"""


def test_a_file_is_applied_again_and_again(tenant: Any, tmp_path: Path) -> None:
    shell, file = Shell(tenant, tmp_path), tmp_path / "shop.yaml"
    file.write_text(APPLIED)
    apply = ("apply", "-f", str(file))
    shell.run(1, *apply, "--dry-run")
    assert shell.run(0, *apply, "--yes").endswith("vm web-1 created\n")
    assert shell.run(0, *apply).endswith("Plan: 4 unchanged.\n")
    exists = "exists with the same specification"
    again = (
        ("network", "create", "front", "--cidr", "10.20.0.0/24"),
        ("volume", "create", "data", "--size", "5", "--image", "mock-linux"),
        ("key", "create", "alice", "--public-key", "-"),
        (
            "vm",
            "create",
            "web-1",
            "--flavor",
            "small",
            "--image",
            "mock-linux",
            "--network",
            "front",
            "--volume",
            "data",
        ),
    )
    for words in again:
        assert exists in shell.run(0, *words, "--if-not-exists", stdin=PUBLIC_KEY)
    differs = shell.run(5, "network", "create", "front", "--cidr", "10.21.0.0/24", "--if-not-exists")
    assert "cidr is '10.20.0.0/24', not '10.21.0.0/24'" in differs
    exceeded = tenant.platform.operator.put(
        f"/api/ops/v1/organizations/{tenant.organization_id}/quotas", json={"networks": 1, "virtual_machines": 1}
    )
    assert exceeded.status_code == 200
    for words in (again[0], again[3]):
        assert exists in shell.run(0, *words, "--if-not-exists")

    file.write_text(APPLIED.replace("size_gib: 5", "size_gib: 8").replace("flavor: small", "flavor: medium"))
    assert "    size_gib: 5 -> 8\n" in shell.run(0, *apply, "--yes")
    assert shell.run(0, *apply).endswith("Plan: 4 unchanged.\n")
    file.write_text(APPLIED.replace("size_gib: 5", "size_gib: 3"))
    assert f"{file}:12: volume data: " in shell.run(2, *apply, "--yes")

    deleted = ("vm", "delete", "web-1", "--wait", "--idempotency-key", "gone")
    assert shell.run(0, *deleted).startswith("vm web-1 deleted (")
    assert shell.run(0, *deleted).startswith("vm web-1 deleted (")
    file.write_text(f"{{kind: key, name: alice, public_key: {PUBLIC_KEY}}}")
    pruned = shell.run(0, *apply, "--prune", "--label", "app=shop", "--yes")
    assert "network front deleted" in pruned
    assert shell.run(0, "network", "list", "-o", "name") == shell.run(0, "volume", "list", "-o", "name") == ""
