# SPDX-License-Identifier: Apache-2.0
"""Operators list, adopt and delete what clusters have and the platform does not know."""

import json

from client.tests.contract_server import Command


def test_operators_list_what_is_not_ours(olga: Command) -> None:
    assert "vol-0c1d2e3f" in olga.done("foreign-object", "list", "--kind", "volume")
    (found,) = json.loads(olga.done("foreign-object", "list", "-o", "json"))
    assert (found["name"], found["status"]) == ("old-backup", {"size_gib": 40})


def test_an_operator_gives_a_foreign_object_to_a_project(olga: Command) -> None:
    (found,) = json.loads(olga.done("foreign-object", "list", "-o", "json"))
    (project,) = json.loads(olga.done("project", "list", "-o", "json"))
    words = ("--cluster", found["cluster"], "--kind", "volume", "--into", project["id"], "--name", "backup")
    assert "Nothing was changed." in olga.done("foreign-object", "adopt", found["reference"], *words, "--dry-run")
    assert f"{found['reference']}: adoption as backup (" in olga.done(
        "foreign-object", "adopt", found["reference"], *words
    )
    refused = olga("foreign-object", "adopt", "vol-unknown", *words)
    assert "shows no foreign volume" in refused.stderr


def test_an_operator_deletes_an_orphan_after_confirming_it(olga: Command) -> None:
    (found,) = json.loads(olga.done("drift", "orphans", "-o", "json"))
    refused = olga("drift", "delete-orphan", found["uid"])
    assert (refused.returncode, "confirm with --yes" in refused.stderr) == (2, True)
    assert "Nothing was changed." in olga.done("drift", "delete-orphan", found["uid"], "--dry-run")
    assert "volume data: deletion on rack-1 accepted, job" in olga.done("drift", "delete-orphan", found["uid"], "--yes")
    assert "there is no orphan" in olga("drift", "delete-orphan", found["uid"], "--yes").stderr


def test_an_operator_adopts_an_orphan_under_its_own_name_or_another(olga: Command) -> None:
    (found,) = json.loads(olga.done("drift", "orphans", "-o", "json"))
    (project,) = json.loads(olga.done("project", "list", "-o", "json"))
    adopt = ("drift", "adopt-orphan", found["uid"], "--cluster", "rack-1", "--into", project["id"])
    assert "as data. Nothing was changed." in olga.done(*adopt, "--dry-run")
    assert f"volume {found['uid']}: adoption as kept accepted" in olga.done(*adopt, "--name", "kept")
    assert "there is no orphan" in olga(*adopt).stderr
