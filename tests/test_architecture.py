"""The house's rules, read from the source: who may import whom, and that nothing happens at import."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
FLOORS = [  # from the top down; a file imports only from floors below its own, or within its own room
    {"app", "__main__"},
    {"cli", "integrations", "ui"},
    {"server", "research"},
    {"tasks"},
    {"video"},
    {"export", "faces", "frames", "teach"},
    {"collection", "fast", "fidelity", "metrics", "models", "stylize", "translate"},
    {"care", "settings"},
    {"encoders", "taught"},
    {"optimize", "registry", "styles"},
    {"descent"},
    {"tiles", "updates"},
    {"capture", "color", "device", "images", "losses", "params", "weights"},
    {"formats", "layers", "places", "threads", "transforms"},
]
PRINTS = {"app", "__main__", "cli"}
MOST_LINES = 400

SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in [ROOT / "app.py", *sorted((ROOT / "nst").rglob("*.py"))]
    if path.exists()
}
PACKAGES = {name for name, path in SOURCES.items() if path.name == "__init__.py"}


def room(module: str) -> str:
    """The part of a module's name that has a floor: nst.weights.hub stands in the room weights."""
    return module.split(".")[1] if module.startswith("nst.") else module


def floor(module: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if room(module) in rooms)


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(SOURCES[module].read_text(encoding="utf-8"))


def nodes(module: str) -> Iterator[ast.AST]:
    """All of a module's syntax, but for what only type checkers see."""
    waiting: list[ast.AST] = [tree(module)]
    while waiting:
        node = waiting.pop()
        yield node
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            waiting += ast.iter_child_nodes(node)


@cache
def imports(module: str) -> set[str]:
    """The full names of all that a module imports, wherever it does so."""
    package = module if module in PACKAGES else module.rpartition(".")[0]
    found = set()
    for node in nodes(module):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def ours(module: str) -> set[str]:
    """The modules of ours that a module imports; the package nst itself holds nothing but names."""
    names = {name if name in SOURCES else name.rpartition(".")[0] for name in imports(module)}
    return (names & SOURCES.keys()) - {"nst", module}


ALL = sorted(SOURCES.keys() - {"nst"})


TOP = {"LICENSE", "README.md", "app.py", "nst", "pretrained", "pyproject.toml", "requirements.txt", "tests"}


def test_nothing_is_left_lying_at_the_top():
    try:
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only a checkout, and git, tell what belongs to it")
    assert {path.partition("/")[0] for path in listed.splitlines() if path[0] != "."} == TOP


def test_every_room_has_a_floor():
    assert {room(module) for module in ALL} <= set().union(*FLOORS)


def test_every_file_imports_only_from_below():
    arrows = {(m, name) for m in ALL for name in ours(m) if room(name) != room(m) and floor(name) <= floor(m)}
    assert not arrows


def test_there_are_no_circles():
    TopologicalSorter({module: ours(module) for module in ALL}).prepare()  # raises CycleError, which names it


def test_only_the_app_knows_gradio():
    knowing = {room(m) for m in SOURCES if any(name.partition(".")[0].startswith("gradio") for name in imports(m))}
    assert knowing <= {"app", "ui", "server"}


@pytest.mark.parametrize("module", [module for module in ALL if room(module) == "ui"])
def test_the_app_computes_nothing(module):
    assert not [name for name in imports(module) if name.startswith("torch.nn")]
    assert "torch.nn" not in {ast.unparse(node) for node in nodes(module) if isinstance(node, ast.Attribute)}


def test_models_are_found_through_the_registry():
    rooms = {room(m) for m in ALL if any(name.startswith("nst.models.") for name in imports(m))}
    assert rooms <= {"models", "research"}, "who trains a model makes it; all others ask for one by name"


def test_every_file_is_opened_for_formats_that_are_named():
    """Pillow knows some that run programs or take gigabytes: a file is never opened as whatever it says it is."""
    calls = [
        (module, node.lineno)
        for module in ALL
        for node in nodes(module)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "Image.open"
        and "formats" not in {word.arg for word in node.keywords}
    ]
    assert not calls


def test_the_library_never_prints():
    calls = {
        module: node.lineno
        for module in ALL
        for node in nodes(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert not {module: line for module, line in calls.items() if room(module) not in PRINTS}


def test_every_file_can_be_read_in_one_sitting():
    lengths = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in SOURCES.items()}
    assert not {module: n for module, n in lengths.items() if n > MOST_LINES}, "look for the missing noun"


def test_what_a_function_does_is_seen_at_one_glance():
    bodies = {}
    for module in SOURCES:
        for node in ast.walk(tree(module)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                first = node.body[1 if ast.get_docstring(node) and len(node.body) > 1 else 0]
                bodies[module, node.name] = (node.end_lineno or 0) - first.lineno + 1
    assert not {name: lines for name, lines in bodies.items() if lines > 60}


def test_requirements_are_what_is_imported():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").partition("# Not imported")[0].splitlines()
    asked = {normal(line) for line in lines if line and not line.startswith("#")}
    tops = {name.partition(".")[0] for module in SOURCES for name in imports(module)}
    tops -= {"nst", "tomli", *sys.stdlib_module_names}
    distributions = packages_distributions()
    assert {normal(distributions[top][0]) for top in tops} == asked - {"tomli"}  # which is for Python 3.10 alone


FLOORS_ABOVE_HOLES = {
    "pillow": "12.3",
    "torch": "2.10",
    "filelock": "3.20.3",
    "python-multipart": "0.0.31",
    "h11": "0.16",
    "pillow-heif": "1.3",
    "starlette": "0.49.1",
    "tqdm": "4.66.3",
}


def test_no_version_with_a_known_hole_is_let_in():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    asked = {one.name.lower(): one for one in map(Requirement, filter(_is_requirement, lines))}
    for name, least in FLOORS_ABOVE_HOLES.items():
        floor = max(Version(part.version) for part in asked[name].specifier if part.operator == ">=")
        assert floor >= Version(least), name


def _is_requirement(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def normal(requirement: str) -> str:
    """The name in a line of a requirements file, in the one spelling that counts."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def test_tests_patch_no_private_name():
    """What they replace is then what a module offers, and code within it may be moved."""
    patches = re.compile(r"""setattr\([^()]*?["'.]_(?!_)\w+["',]""")
    found = {path.name: patches.findall(path.read_text(encoding="utf-8")) for path in (ROOT / "tests").glob("*.py")}
    assert not {name: names for name, names in found.items() if names}


def test_importing_nst_costs_nothing():
    script = "import nst, sys; sys.exit(bool({'torch', 'gradio', 'numpy', 'PIL'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0


WATCH = """
import importlib, os, sys, threading
import av, cv2, gradio, huggingface_hub, safetensors.torch, torch  # what they do is theirs

done = []

def watch(event, args):
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        done.append((event, args[0]))
    elif event in ("os.mkdir", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.putenv"):
        done.append((event, args[0]))

threads = set(threading.enumerate())
sys.addaudithook(watch)
for name in sys.argv[1:]:
    importlib.import_module(name)
done += threads ^ set(threading.enumerate())
done += ["cuda"] * torch.cuda.is_initialized() + ["torch's threads"] * (torch.get_num_threads() != 1)
print(*done, *os.listdir("."), sep="\\n", end="")
"""


def test_nothing_happens_at_import(tmp_path, monkeypatch):
    for name in ("PYTHONPATH", "PASTICHE_CACHE"):
        monkeypatch.setenv(name, str(ROOT if name == "PYTHONPATH" else tmp_path / "cache"))
    # Compiled files are not what is asked about; the module __main__ runs the command line only as a program.
    command = [sys.executable, "-B", "-c", WATCH, *SOURCES]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
