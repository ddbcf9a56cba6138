"""The house in figures: folders, files, lines, and which folder imports which, as a table and as a Mermaid picture.

    python benchmarks/structure.py [CHECKOUT]

Reads the source as text, nothing is imported. `docs/architecture.md` shows its output for two versions.
"""

import ast
import sys
from collections import Counter, defaultdict
from pathlib import Path

PACKAGE = "nearkin"
# An arrow stands for at least so many imports.
DRAWN = 3


def room_of(path: Path, source: Path) -> str:
    """The folder of a file, as deep as it goes; a file at the top is a room of its own."""
    parts = path.relative_to(source).with_suffix("").parts
    return "/".join(parts[:-1]) or parts[0]


def imports(path: Path) -> list[str]:
    """Modules of the package that a file names, wherever in it they stand."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
            found.append(str(node.module))
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.startswith(f"{PACKAGE}.")]
    return found


def main() -> None:
    source = Path(sys.argv[1] if len(sys.argv) > 1 else ".") / "src" / PACKAGE
    files = [path for path in sorted(source.rglob("*.py")) if path.name not in ("__init__.py", "__main__.py")]
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    modules = {".".join((PACKAGE, *path.relative_to(source).with_suffix("").parts)): path for path in files}
    rooms: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        rooms[room_of(path, source)].append(path)
    print("| folder | files | lines | longest file |\n|---|---|---|---|")
    for room, members in sorted(rooms.items()):
        longest = max(members, key=lines.__getitem__)
        print(
            f"| {room} | {len(members)} | {sum(map(lines.__getitem__, members)):,} | {longest.name} {lines[longest]} |"
        )
    longest = max(files, key=lines.__getitem__)
    print(
        f"\n{len(files)} files, {sum(lines.values()):,} lines; longest: {longest.relative_to(source)}, {lines[longest]}"
    )
    arrows: Counter[tuple[str, str]] = Counter()
    for path in files:
        for module in imports(path):
            target = modules.get(module)
            there = room_of(target, source) if target else module.removeprefix(f"{PACKAGE}.").replace(".", "/")
            top, other = room_of(path, source).split("/")[0], there.split("/")[0]
            if top != other and other not in ("errors", "arrays", "progress", "files", "registry"):
                arrows[top, other] += 1
    print("\n```mermaid\nflowchart TD")
    for top in sorted({room.split("/")[0] for room in rooms}):
        members = [path for room, several in rooms.items() if room.split("/")[0] == top for path in several]
        if top not in ("errors", "arrays", "progress", "files", "registry"):
            print(f'  {top}["{top}: {len(members)} files, {sum(map(lines.__getitem__, members)):,} lines"]')
    for (top, other), count in sorted(arrows.items()):
        if count >= DRAWN:
            print(f"  {top} --> {other}")
    print("```")


if __name__ == "__main__":
    main()
