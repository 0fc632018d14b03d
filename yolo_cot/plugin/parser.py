"""The rewrite of Ultralytics' `parse_model`, and the check that it still means what we think.

`parse_model` looks a module's name up in its globals, and decides by tests on the class `m` (`m in base_modules`,
`m is C3k2`) which arguments it gets. The rewrite asks the catalog for the name first, puts `kind(m)`, the stock class
that `m` counts as, into those tests, and one branch for blocks that keep their input's channels in front of them.
Everything else is Ultralytics' own text, compiled under its own file and lines.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from ultralytics.nn import tasks
from ultralytics.nn.modules import C3k2, Detect

from .catalog import Block


class ParserMismatch(RuntimeError):
    """The installed Ultralytics' `parse_model` is not the one that the rewrite knows."""


def rewrite(parse_model: Callable, find: Callable[[str], Block | None], namespace: dict[str, Any]) -> Callable:
    """Return a copy of `parse_model` that knows more blocks.

    Args:
        parse_model: Ultralytics' function.
        find: the block of a name, None where the name is not one of a block.
        namespace: the globals of the copy, in which all other names are looked up.

    Raises:
        ParserMismatch: if its text has not the shape that the rewrite needs.
    """
    try:
        lines, first = inspect.getsourcelines(parse_model)
    except (OSError, TypeError) as error:
        raise ParserMismatch("the source of parse_model is not available") from error
    tree = ast.parse(textwrap.dedent("".join(lines)))
    function = tree.body[0]
    tests = _TestsOnModule()
    tests.visit(function)
    if not (tests.rewritten and tests.branched and tests.looked_up):
        raise ParserMismatch(
            f"parse_model has {tests.rewritten} tests on m, {tests.branched} branches that read args[0] and "
            f"{tests.looked_up} names looked up in its globals"
        )
    ast.increment_lineno(tree, first - 1)
    # The names are parameters of an enclosing function, so that they are closure variables of the copy, not globals.
    factory = ast.parse("def factory(_find, _kind, _preserving):\n    return None")
    made = factory.body[0]
    assert isinstance(made, ast.FunctionDef)
    assert isinstance(function, ast.FunctionDef)
    made.body = [function, ast.Return(ast.Name(function.name, ast.Load()))]
    ast.fix_missing_locations(factory)
    code = compile(factory, inspect.getsourcefile(parse_model) or "<parse_model>", "exec", dont_inherit=True)
    local: dict[str, Any] = {}
    exec(code, namespace, local)
    blocks: dict[Any, Block] = {}

    def module(name: str) -> Any:
        block = find(name)
        if block is None:
            return namespace[name]
        blocks[block.constructor] = block
        return block.constructor

    def kind(m: Any) -> Any:
        return blocks[m].counts_as or m if m in blocks else m

    def preserving(m: Any) -> bool:
        return m in blocks and blocks[m].counts_as is None

    return local["factory"](module, kind, preserving)


class _TestsOnModule(ast.NodeTransformer):
    """Ask `_find(name)` for modules and `_kind(m)` in every comparison; add the branch for channel-preserving ones."""

    def __init__(self) -> None:
        self.rewritten = self.branched = self.looked_up = 0

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if not (isinstance(node.value, ast.Call) and ast.unparse(node.value) == "globals()"):
            return node
        self.looked_up += 1
        return ast.copy_location(ast.Call(ast.Name("_find", ast.Load()), [node.slice], []), node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        asks = all(isinstance(op, (ast.Is, ast.IsNot, ast.In, ast.NotIn, ast.Eq, ast.NotEq)) for op in node.ops)
        if isinstance(node.left, ast.Name) and node.left.id == "m" and asks:
            self.rewritten += 1
            node.left = ast.copy_location(
                ast.Call(ast.Name("_kind", ast.Load()), [ast.Name("m", ast.Load())], []), node.left
            )
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        if self.branched or not _reads_channels_from_arguments(node):
            return node
        self.branched += 1
        branch = ast.parse("if _preserving(m):\n    c2 = ch[f]\n    args = [c2, *args]").body[0]
        assert isinstance(branch, ast.If)
        for part in ast.walk(branch):
            if "lineno" in part._attributes:
                ast.copy_location(part, node)
        branch.orelse = [node]
        return branch


def _reads_channels_from_arguments(node: ast.If) -> bool:
    """Whether the branch begins with `c1, c2 = ch[f], args[0]`."""
    first = node.body[0]
    return isinstance(first, ast.Assign) and ast.unparse(first) in {
        "c1, c2 = (ch[f], args[0])",
        "(c1, c2) = (ch[f], args[0])",
    }


def self_check(parse_model: Callable) -> None:
    """Build probe rows with a rewrite of `parse_model` and compare what the parser does with what the blocks need.

    Takes some milliseconds and touches neither Ultralytics' globals nor the random state.

    Raises:
        ParserMismatch: a probe got other constructor arguments, or the detection head of another generation.
    """

    class Head(Detect):
        """Takes what the parser writes into the class of the head, which belongs to other models too."""

    probes = {"_Composite": Block(_Composite, counts_as=C3k2), "_Keeper": Block(_Keeper)}
    parse = rewrite(parse_model, probes.get, {**tasks.__dict__, "Detect": Head})
    # (scale, what the composite must get, what the channel-preserving block must get)
    expected = [("n", (8, 16, 1, False, 0.25), (16, 7, "text")), ("l", (32, 64, 2, True, 0.25), (64, 7, "text"))]
    try:
        with torch.random.fork_rng(devices=[]):
            for scale, composite, keeper in expected:
                model, _ = parse(_probe(scale), ch=3, verbose=False)
                got = [tuple(model[i].arguments) for i in (1, 2)]
                if got != [composite, keeper]:
                    raise ParserMismatch(f"probe rows got {got}, not {[composite, keeper]}")
                if vars(Head).get("legacy", True):
                    raise ParserMismatch("a model of C3k2-like rows got the detection head of YOLOv8")
    except ParserMismatch:
        raise
    except Exception as error:
        raise ParserMismatch(f"probe rows could not be built: {type(error).__name__}: {error}") from error


def _probe(scale: str) -> dict[str, Any]:
    return {
        "nc": 1,
        "scales": {"n": [0.5, 0.25, 1024], "l": [1.0, 1.0, 512]},
        "scale": scale,
        "backbone": [
            [-1, 1, "Conv", [32, 1, 1]],
            [-1, 2, "_Composite", [64, False, 0.25]],
            [-1, 1, "_Keeper", [7, "'text'"]],
        ],
        "head": [[[2], 1, "Detect", ["nc"]]],
    }


class _Recorder(nn.Module):
    """Remembers what the parser passed."""

    def __init__(self, *arguments: Any):
        super().__init__()
        self.arguments = arguments


class _Composite(_Recorder):
    """Stands for a block that counts as C3k2."""


class _Keeper(_Recorder):
    """Stands for a block that keeps its input's channels."""
