# SPDX-License-Identifier: Apache-2.0
"""Every distribution has the same shape, and every tool of the root knows about it."""

import configparser
import re


def names_in(text: str) -> set[str]:
    """Return the names of a requirement or constraint file, lower-case and with dashes."""
    lines = [line for line in text.splitlines() if line and not line.startswith(("#", "-"))]
    return {re.split(r"[\[<>=!~;@ ]", line, maxsplit=1)[0].lower().replace("_", "-") for line in lines}


def test_each_has_its_files(tree):
    wanted = ("pyproject.toml", "README.md", "src/{}/__init__.py", "src/{}/py.typed")
    missing = [
        str(path)
        for each in tree
        for path in (each.folder / name.format(each.import_name) for name in wanted)
        if not path.exists()
    ]

    assert missing == []


def test_each_has_tests_of_its_own(tree):
    assert [each.name for each in tree if not list((each.folder / "tests").rglob("test_*.py"))] == []


def test_each_has_the_same_short_pyproject(tree):
    texts = {(each.folder / "pyproject.toml").read_text(encoding="utf-8") for each in tree}

    assert len(texts) == 1
    assert len(texts.pop().splitlines()) == 3


def test_every_package_is_found_and_every_other_file_is_shipped(tree):
    forgotten = []
    for each in tree:
        data = each.metadata["options.package_data"]
        for path in (each.folder / "src").rglob("*"):
            if path.is_dir() or "__pycache__" in path.parts or any(part.endswith(".egg-info") for part in path.parts):
                continue
            packages = [parent for parent in path.parents if (parent / "__init__.py").exists()]
            if path.suffix == ".py":
                shipped = path.parent in packages
            else:
                patterns = re.split(r"[,\s]+", " ".join(data.values()))
                shipped = any(path in package.glob(pattern) for package in packages for pattern in patterns)
            if not shipped:
                forgotten.append(str(path.relative_to(each.folder)))

    assert forgotten == []


def test_the_tools_know_every_distribution(root, tree):
    config = configparser.ConfigParser()
    config.read(root / "setup.cfg", encoding="utf-8")
    sources = {line.strip().rstrip(",") for line in config["mypy"]["files"].splitlines()}
    folders = {str(each.folder.relative_to(root)) for each in tree}
    imports = {each.import_name for each in tree}

    assert {f"{folder}/src" for folder in folders} <= sources
    assert {f"{folder}/tests" for folder in folders} <= set(config["tool:pytest"]["testpaths"].split())
    assert imports == set(config["importlinter"]["root_packages"].split())
    assert imports == set(config["coverage:run"]["source_pkgs"].split())


def test_only_the_libvirt_driver_stays_out_of_the_ordinary_installation(root, tree):
    listed = re.findall(r"^-e \./(\S+)$", (root / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    folders = {str(each.folder.relative_to(root)) for each in tree}

    assert folders - set(listed) == {"drivers/libvirt"}


def test_every_distribution_of_the_ordinary_installation_is_tested_alone(root, tree):
    config = configparser.ConfigParser()
    config.read(root / "tox.ini", encoding="utf-8")
    isolated = re.search(r"isolated-\{(.*)\}", config["tox"]["env_list"])

    assert isolated
    assert set(isolated[1].split(",")) == {each.folder.name for each in tree} - {"libvirt"}


def test_every_declared_requirement_has_a_tested_pin(root, tree):
    pinned = names_in((root / "constraints.txt").read_text(encoding="utf-8"))
    declared = {
        name
        for each in tree
        for name in names_in("\n".join(each.requirements(*each.extras)))
        if not name.startswith("stratoplane")
    }
    declared |= names_in((root / "requirements-dev.txt").read_text(encoding="utf-8"))

    assert declared - pinned == set()


def test_every_tool_of_a_testing_extra_is_in_the_development_installation(root, tree):
    development = names_in((root / "requirements-dev.txt").read_text(encoding="utf-8"))
    wanted = {
        name
        for each in tree
        if "testing" in each.extras
        for name in names_in("\n".join(each.metadata["options.extras_require"]["testing"].split()))
    }

    assert {name for name in wanted if not name.startswith("stratoplane")} <= development
