# SPDX-License-Identifier: Apache-2.0
"""List every message that a user can get: where it stands, what it is, and its text with placeholders.

Read from the source of every distribution, so that nothing has to be installed and nothing is missed because no test
came by. What is only known when the program runs is shown as its expression in braces; a text that is nothing else is
left out, because it is listed where it is made.
"""

import argparse
import ast
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Scope = Mapping[str, ast.expr]

_LOGGED: Final = frozenset({"warning", "error", "exception", "critical", "bug"})
_SPEAKING: Final = frozenset(
    {
        "print",
        "echo",
        "secho",
        "fail",
        "_fail",
        "exit",
        "SystemExit",
        "say",
        "say_done",
        "show_done",
        "confirm",
        "prompt",
    }
)
_KEYWORDS: Final = {
    "detail": "detail",
    "title": "title",
    "reason": "reason",
    "message": "cli",
    "nothing": "cli",
    "help": "help",
    "short_help": "help",
    "epilog": "help",
    "summary": "api",
    "description": "api",
    "error": "violation",
}
"""Arguments whose text is shown to somebody, whatever is called with them, and what it is then."""
_MEMBERS: Final = "m."
"""How schemas call the functions that make their members; the first argument is a description in the API's document."""
_COMMAND_LINES: Final = ("stratoplane_client/cli", "stratoplane_server")
"""Where functions return texts that are printed elsewhere."""


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Message:
    """One text that somebody can get.

    Attributes:
        path: of its file, from the root of the tree; ``line`` from 1.
        kind: ``error``, ``violation``, ``detail``, ``title`` (of an incident or a problem), ``reason``, ``log``
            (WARNING and above), ``cli``, ``help`` or ``api``.
    """

    path: str
    line: int
    kind: str
    text: str

    @property
    def distribution(self) -> str:
        """The folder of its distribution."""
        return self.path.partition("/src/")[0]


def sources(root: Path) -> list[Path]:
    """Return the source files of every distribution."""
    patterns = ("*/src/**/*.py", "drivers/*/src/**/*.py", "plugins/*/src/**/*.py")
    return sorted(path for pattern in patterns for path in root.glob(pattern) if "migrations" not in path.parts)


def messages(root: Path) -> list[Message]:
    """Return every message of the tree, by file and line."""
    return sorted({each for path in sources(root) for each in _Reader(path, root).messages()})


def docstrings(root: Path) -> list[Message]:
    """Return the docstring of every module, class and function, and those of attributes."""
    found = []
    for path in sources(root):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                name = path.relative_to(root).as_posix()
                found.append(Message(path=name, line=node.lineno, kind="docstring", text=node.value.value))
    return found


class _Reader:
    """Finds the messages of one file."""

    def __init__(self, path: Path, root: Path) -> None:
        self._path: Final = path.relative_to(root).as_posix()
        self._tree: Final = ast.parse(path.read_text(encoding="utf-8"))
        self._prints: Final = any(part in self._path for part in _COMMAND_LINES)

    def messages(self) -> Iterator[Message]:
        yield from self._walk(self._tree, _assignments(self._tree.body))

    def _walk(self, node: ast.AST, scope: _Scope) -> Iterator[Message]:
        for child in ast.iter_child_nodes(node):
            inner = scope
            if isinstance(child, _Function):
                inner = {**scope, **_assignments(child.body)}
                yield from self._command_help(child)
            elif isinstance(child, ast.Call):
                yield from self._of_call(child, scope)
            elif isinstance(child, ast.Return) and child.value is not None and self._prints:
                yield from self._made(child, "cli", child.value, scope, only_sentences=True)
            yield from self._walk(child, inner)

    def _command_help(self, function: _Function) -> Iterator[Message]:
        names = {_name(each.func) for each in function.decorator_list if isinstance(each, ast.Call)}
        text = ast.get_docstring(function)
        if text and names & {"command", "group"}:
            yield Message(path=self._path, line=function.lineno, kind="help", text=_one_line(text))

    def _of_call(self, call: ast.Call, scope: _Scope) -> Iterator[Message]:
        name = _name(call.func)
        positional = call.args
        if name.endswith("Error") and positional:
            yield from self._made(call, "error", positional[0], scope)
        elif name == "invalid" and len(positional) > 1:
            yield from self._made(call, "violation", positional[1], scope)
        elif name in _LOGGED and isinstance(call.func, ast.Attribute) and "log" in ast.unparse(call.func.value).lower():
            yield from self._made(call, "log", positional[0], scope) if positional else ()
        elif name in _SPEAKING:
            for each in positional:
                yield from self._made(call, "cli", each, scope)
        elif positional and ast.unparse(call.func).startswith(_MEMBERS):
            yield from self._made(call, "api", positional[0], scope)
        for keyword in call.keywords:
            if keyword.arg == "metadata" and isinstance(keyword.value, ast.Dict):
                yield from self._described(keyword.value, scope)
            if keyword.arg in _KEYWORDS:
                kind = "violation" if name == "Violation" else _KEYWORDS[keyword.arg]
                yield from self._made(keyword.value, kind, keyword.value, scope)

    def _described(self, metadata: ast.Dict, scope: _Scope) -> Iterator[Message]:
        for key, value in zip(metadata.keys, metadata.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "description":
                yield from self._made(value, "api", value, scope)

    def _made(
        self, at: ast.expr | ast.stmt, kind: str, value: ast.expr, scope: _Scope, *, only_sentences: bool = False
    ) -> Iterator[Message]:
        for text in _texts(value, scope):
            literal = _literal_part(text)
            if any(letter.isalpha() for letter in literal) and (" " in literal or not only_sentences):
                yield Message(path=self._path, line=at.lineno, kind=kind, text=_one_line(text))


def _assignments(body: list[ast.stmt]) -> dict[str, ast.expr]:
    """Return the values of names that these statements give a value, the last one of each."""
    found: dict[str, ast.expr] = {}
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    found.update(_bound(target, node.value))
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                found.update(_bound(node.target, node.value))
    return found


def _bound(target: ast.expr, value: ast.expr) -> dict[str, ast.expr]:
    if isinstance(target, ast.Name):
        return {target.id: value}
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        pairs = zip(target.elts, value.elts, strict=False)
        return {name.id: each for name, each in pairs if isinstance(name, ast.Name)}
    return {}


def _texts(value: ast.expr, scope: _Scope, depth: int = 0) -> list[str]:
    """Return the texts that an expression may be, with placeholders for what is only known later."""
    if isinstance(value, ast.Constant):
        return [value.value] if isinstance(value.value, str) else []
    if isinstance(value, ast.JoinedStr):
        return ["".join(map(_part, value.values))]
    if isinstance(value, ast.IfExp):
        return _texts(value.body, scope, depth) + _texts(value.orelse, scope, depth)
    if isinstance(value, ast.BoolOp):
        return [text for each in value.values for text in _texts(each, scope, depth)]
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Mod):
        left = _texts(value.left, scope, depth)
        right = _texts(value.right, scope, depth) if isinstance(value.op, ast.Add) else [""]
        return [one + other for one in left for other in right] if left and right else left or right
    if isinstance(value, ast.Name) and value.id in scope and depth == 0:
        return _texts(scope[value.id], scope, depth + 1) or ["{" + value.id + "}"]
    return ["{" + ast.unparse(value) + "}"]


def _part(value: ast.expr) -> str:
    if isinstance(value, ast.FormattedValue):
        return "{" + ast.unparse(value.value) + "}"
    return str(value.value) if isinstance(value, ast.Constant) else ""


def _literal_part(text: str) -> str:
    """Return a text without its placeholders."""
    kept, level = [], 0
    for letter in text:
        level += letter == "{"
        if level == 0:
            kept.append(letter)
        level -= letter == "}" and level > 0
    return "".join(kept).strip()


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def main() -> int:
    """Print the list, or with --count how many there are in each distribution, and return the process's exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", action="store_true", help="print how many there are in each distribution")
    parser.add_argument("--kind", action="append", help="only messages of this kind; may be repeated")
    options = parser.parse_args()
    found = [each for each in messages(ROOT) if not options.kind or each.kind in options.kind]
    if options.count:
        for distribution, count in sorted(Counter(each.distribution for each in found).items()):
            print(f"{count:5}  {distribution}")
    else:
        for each in found:
            print(f"{each.path}:{each.line}: {each.kind}: {each.text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
