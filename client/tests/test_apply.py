# SPDX-License-Identifier: Apache-2.0
"""``stratoplane apply``: the plan, what is done in which order, and what is refused where."""

import json
from pathlib import Path

import pytest

from client.tests.contract_server import Command, Contract

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqfMMYtQKbzYbqPTxMm1wwUJC2FnzcdIIRq0Gk0c7nL alice@laptop"
SHOP = f"""\
kind: vm
name: web-1
flavor: small
image: debian-12
network_ids: [front]
volume_ids: [data]
key_pair: alice
labels: {{app: shop}}
---
kind: network
name: front
cidr: 10.0.0.0/24
labels: {{app: shop}}
---
kind: volume
name: data
size_gib: 20
labels: {{app: shop}}
---
kind: key
name: alice
public_key: {KEY}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP)
    return file


def changes(contract: Contract) -> list[str]:
    """Return the changes that were asked for and are no dry runs."""
    asked = [each for each in contract.requests if each.method != "GET" and not each.query.get("dry_run")]
    return [f"{each.method} {each.path.split('/')[6]}" for each in asked if "/projects/" in each.path]


def test_what_is_declared_is_made_in_order_and_the_second_run_sends_nothing(
    alice: Command, contract: Contract, shop: Path
) -> None:
    planned = alice("apply", "-f", str(shop), "--dry-run")
    assert planned.returncode == 1
    assert planned.stdout.startswith("+ create vm web-1\n    flavor: small\n")
    assert planned.stdout.endswith("Plan: 4 to create.\n")
    assert changes(contract) == []
    assert "add --yes" in alice("apply", "-f", str(shop)).stderr
    assert changes(contract) == []

    made = alice("apply", "-f", str(shop), "--yes")
    assert made.returncode == 0, made.stderr
    assert made.stdout.endswith("network front created\nvolume data created\nkey alice created\nvm web-1 created\n")
    assert changes(contract) == ["POST networks", "POST volumes", "POST key-pairs", "POST virtual-machines"]
    shown = json.loads(alice.done("vm", "show", "web-1", "-o", "json"))
    assert (len(shown["network_ids"]), len(shown["volume_ids"]), shown["status"]) == (1, 1, "RUNNING")

    contract.requests.clear()
    again = alice.done("apply", "-f", str(shop))
    assert again.endswith("Plan: 4 unchanged.\n")
    assert "dry_run" not in str([each.query for each in contract.requests])
    assert changes(contract) == []
    assert alice.done("apply", "-f", str(shop), "--dry-run") == again


def test_what_differs_is_changed_and_shown_old_and_new(alice: Command, contract: Contract, shop: Path) -> None:
    alice.done("apply", "-f", str(shop), "--yes")
    shop.write_text(SHOP.replace("size_gib: 20", "size_gib: 30").replace("small", "large").replace("[data]", "[]"))

    planned = alice("apply", "-f", str(shop), "--dry-run").stdout
    for line in ("    size_gib: 20 -> 30", "    flavor: small -> large", "    volume_ids: data -> -"):
        assert line in planned.splitlines()
    done = alice.done("apply", "-f", str(shop), "--yes", "-o", "json", "--idempotency-key", "k")
    assert {each["name"]: each["outcome"] for each in json.loads(done)} == {
        "web-1": "changed",
        "front": None,
        "data": "changed",
        "alice": None,
    }
    sent = contract.sent("PATCH", "/volumes")[-1]
    assert (sent.body, sent.headers["idempotency-key"]) == ({"size_gib": 30}, "k:change:volume:data")
    assert "if-match" in sent.headers
    assert alice.done("apply", "-f", str(shop)).endswith("Plan: 4 unchanged.\n")


def test_what_cannot_be_done_is_refused_with_its_line_before_anything_is_done(
    alice: Command, contract: Contract, shop: Path
) -> None:
    alice.done("network", "create", "front", "--cidr", "10.9.0.0/24", "--wait")
    contract.requests.clear()
    network = "kind: network\nname: back\ncidr: 10.1.0.0/24\n"
    cases = (
        (SHOP, ":12: network front: cidr: 10.9.0.0/24 -> 10.0.0.0/24: this cannot be changed after the creation"),
        ("kind: netwrk\nname: a\n", ":1: netwrk a: there is no kind 'netwrk'; did you mean 'network'?"),
        (f"{network}mod: NAT\n", ":4: network back: network has no field 'mod'; did you mean 'mode'?\n"),
        (f"{network}mode: BRIDGED\n", ":4: network back: "),
        (f"{network}mode:\n", ":4: network back: mode has no value"),
        (f"{network}labels:\n  on: true\n", ":4: network back: labels.on is 'true', which is not a text"),
        (f"---\n{network}cidr: 10.2.0.0/24\n", ":5: 'cidr' is given twice"),
        (f"{network}labels: {{a: b, a: c}}\n", ":4: 'a' is given twice"),
        (f"{network}---\n{network}", ":5: network back is declared at"),
        ("kind: volume\nname: data\n", ":1: volume data: size_gib is required"),
        ("kind: volume\nname: data\nsize_gib: 010\n", ":3: volume data: size_gib is '010', which is not a whole"),
        ("kind: volume\nname: data\nsize_gib: yes\n", ":3: volume data: size_gib is 'yes', which is not a whole"),
        ("name: data\n", ":1: kind is missing"),
        ("- just text\n", ":1: a document is a mapping"),
        ("kind: [\n", "shop.yaml:2: "),
        ("", "declares nothing"),
        ("kind: vm\nname: a\nflavor: small\nimage: nowhere\n", ":1: vm a: image: there is no image 'nowhere'"),
        (
            "kind: vm\nname: a\nflavor: small\nimage: debian-12\nnetwork_ids: [nowhere]\n",
            ":5: vm a: network_ids: there is no network 'nowhere', neither in the project nor in the files",
        ),
    )
    for text, reason in cases:
        shop.write_text(text)
        answer = alice("apply", "-f", str(shop), "--yes")
        assert answer.returncode == 2, (text, answer.stderr)
        assert reason in answer.stderr, (text, answer.stderr)
    assert changes(contract) == []


def test_json_folders_and_standard_input(alice: Command, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.json").write_text(
        '[{"kind": "volume", "name": "a", "size_gib": 1},\n\t{"kind": "bucket", "name": "b"}]\n'
        '{"kind": "bucket", "name": "c"}'
    )
    (folder / "b.yml").write_text("kind: virtual_machine\nname: d\nflavor: small\nimage: debian-12\nlabels: {v: yes}\n")
    (folder / "notes.txt").write_text("kind: nothing")

    made = alice.done("apply", "-f", str(folder), "-f", "-", "--yes", "-o", "name", stdin="kind: bucket\nname: e\n")
    assert made.split() == ["a", "b", "c", "d", "e"]
    assert json.loads(alice.done("vm", "show", "d", "-o", "json"))["labels"] == {"v": "yes"}
    (folder / "a.json").write_text('{"kind": "bucket",\n "name": "b", "name": "c"}')
    assert "a.json:1: 'name' is given twice" in alice("apply", "-f", str(folder)).stderr
    (folder / "a.json").write_text('{"kind": "bucket",\n "name": }')
    assert "a.json:2: it is not JSON" in alice("apply", "-f", str(folder)).stderr
    assert "No such file" in alice("apply", "-f", str(tmp_path / "none")).stderr


def test_a_failure_leaves_what_needs_it_and_the_next_run_makes_it(
    alice: Command, contract: Contract, shop: Path
) -> None:
    contract.state.failure = {"code": "provider_failed", "detail": "no room", "provider_text": ""}
    answer = alice("apply", "-f", str(shop), "--yes")

    assert answer.returncode == 1
    (failed,) = (line for line in answer.stderr.splitlines() if f"{shop}:10: cannot create network front: " in line)
    assert "no room" in failed
    assert f"Error: {shop}:1: vm web-1 is left as it is, because front failed" in answer.stderr
    assert "volume data created" in answer.stdout
    assert "vm web-1" not in alice.done("vm", "list", "-o", "name")
    planned = alice("apply", "-f", str(shop), "--dry-run").stdout
    assert "~ retry network front" in planned.splitlines()
    assert "Plan: 1 to create, 1 to retry, 2 unchanged." in planned


def test_what_carries_the_label_and_is_declared_nowhere_is_deleted_last(
    alice: Command, contract: Contract, shop: Path
) -> None:
    alice.done("apply", "-f", str(shop), "--yes")
    alice.done("bucket", "create", "other", "--label", "app=blog", "--wait")
    shop.write_text(f"kind: key\nname: alice\npublic_key: {KEY}\n---\nkind: bucket\nname: logs\n")
    contract.requests.clear()

    wrong = ("--prune",), ("--label", "app=shop"), ("--prune", "--label", "app=")
    for options in wrong:
        assert alice("apply", "-f", str(shop), *options).returncode == 2
    prune = ("apply", "-f", str(shop), "--prune", "--label", "app=shop")
    planned = alice(*prune, "--dry-run").stdout
    gone = sorted(line for line in planned.splitlines() if line.startswith("- "))
    assert gone == ["- delete network front", "- delete vm web-1", "- delete volume data"]
    assert changes(contract) == []
    alice.done(*prune, "--yes")
    assert changes(contract)[0] == "POST buckets"
    assert sorted(changes(contract)[1:]) == ["DELETE networks", "DELETE virtual-machines", "DELETE volumes"]
    assert alice.done("bucket", "list", "-o", "name").split() == ["other", "logs"]
    assert alice.done(*prune).endswith("Plan: 2 unchanged.\n")
