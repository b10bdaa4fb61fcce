# SPDX-License-Identifier: Apache-2.0
"""Messages and docstrings are in the field's words; `make messages` lists all there are."""

import importlib.util
import re
import sys

import pytest

# What was once said, and what to say instead.
OLD_WORDS = {
    r"(?<!there )\bis no (?!longer\b|more\b|such\b)[a-z]": "is not a ...",
    r"\banew\b": "again, new",
    r"\bis so already\b": "unchanged",
    r"\bused or over\b": "used or expired",
    r"\bin use order\b": "ready",
    r"\bnot both and not neither\b": "exactly one of",
    r"\bat work\b": "running, in progress",
    r"\bfinished to prepare\b": "is still initialising",
    r"\broot of all our errors\b": "unexpected server error",
    r"\b(objects?|something) of nobody\b": "orphan",
    r"\bmarks? of several\b|\bmarks? that several carry\b": "duplicate",
    r"\bvigil\b": "monitor",
    r"\bsightings?\b": "finding",
    r"\bshut out\b": "blocked",
    r"\btake(n|s)? down\b": "record",
    r"\bis at it\b|\bwas at it\b|\banother at it\b": "is running, compares, seals ...",
    r"\bseen to\b": "resolved, looked at",
    r"\bon its way out\b": "being deleted",
    r"\bby hand\b": "manually, by an operator",
}


@pytest.fixture(scope="module")
def lister(root):
    spec = importlib.util.spec_from_file_location("list_messages", root / "tools/list_messages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def texts(lister, root):
    return [*lister.messages(root), *lister.docstrings(root)]


def of_source(lister, tmp_path, source, package="stratoplane_engine"):
    file = tmp_path / "engine/src" / package / "module.py"
    file.parent.mkdir(parents=True)
    file.write_text(source, encoding="utf-8")
    return [(each.kind, each.text) for each in lister.messages(tmp_path)]


@pytest.mark.parametrize(
    ("source", "listed"),
    [
        (
            'raise NotFoundError(f"there is no {kind} {name!r}; list them")',
            [("error", "there is no {kind} {name}; list them")],
        ),
        ('def f(x):\n    text = f"bad {x}"\n    return BadError(text)', [("error", "bad {x}")]),
        ('raise BadError("this" if one else "that")', [("error", "this"), ("error", "that")]),
        ('raise BadError("one " + "two")', [("error", "one two")]),
        ('Violation(pointer="/a", detail="must be short")', [("violation", "must be short")]),
        ('invalid("/a", "must be long")', [("violation", "must be long")]),
        ('Pattern("[a-z]", error="must be small")', [("violation", "must be small")]),
        ('m.text("Its name.", required=True)', [("api", "Its name.")]),
        ('fields.Raw(metadata={"description": "Its size."})', [("api", "Its size.")]),
        ('Finding(title=f"{name} is lost", severity=s)', [("title", "{name} is lost")]),
        ('_log.warning("worker %s is late", name)', [("log", "worker %s is late")]),
        ('_log.info("all is well")', []),
        ('@cli.command("up")\ndef up():\n    """Start the platform."""', [("help", "Start the platform.")]),
        ('click.option("--all", help="everything")', [("help", "everything")]),
        ('print(f"created {name}")', [("cli", "created {name}")]),
        ("print(name)", []),
        ('return_value = "not shown to anybody"', []),
    ],
)
def test_what_is_listed(lister, tmp_path, source, listed):
    assert sorted(of_source(lister, tmp_path, source)) == sorted(listed)


def test_texts_that_a_command_line_returns_are_listed(lister, tmp_path):
    source = 'def line(name):\n    return f"{name} was deleted"\ndef word():\n    return "short"'
    assert of_source(lister, tmp_path, source, "stratoplane_server") == [("cli", "{name} was deleted")]


def test_every_distribution_has_messages_and_the_command_prints_them(lister, root, tree, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["list_messages.py", "--kind", "title"])
    assert lister.main() == 0
    assert re.search(r"^engine/src/\S+:\d+: title: \S", capsys.readouterr().out, re.MULTILINE)
    folders = {each.folder.relative_to(root).as_posix() for each in tree}
    assert {each.distribution for each in lister.messages(root)} == folders


@pytest.mark.parametrize("old", OLD_WORDS)
def test_no_message_or_docstring_has_words_of_the_old_vocabulary(texts, old):
    pattern = re.compile(old, re.IGNORECASE)
    found = [
        f"{each.path}:{each.line}: {each.kind}: {text}"
        for each in texts
        if pattern.search(text := " ".join(each.text.split()))
    ]
    assert not found, f"say '{OLD_WORDS[old]}' instead in {len(found)} places:\n" + "\n".join(found)
