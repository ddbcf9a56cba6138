"""The structure of the package in figures: files and lines of each folder, and which folder imports which, as Mermaid.

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
# What any folder may import; not drawn.
FOUNDATION = ("errors", "arrays", "arrow", "progress", "files", "registry", "serialise")


def folder_of(path: Path, source: Path) -> str:
    """The folder of a file, as deep as it goes; a file at the top stands for itself."""
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
    folders: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        folders[folder_of(path, source)].append(path)
    print("| folder | files | lines | longest file |\n|---|---|---|---|")
    for folder, members in sorted(folders.items()):
        longest = max(members, key=lines.__getitem__)
        total = sum(map(lines.__getitem__, members))
        print(f"| {folder} | {len(members)} | {total:,} | {longest.name} {lines[longest]} |")
    longest = max(files, key=lines.__getitem__)
    print(
        f"\n{len(files)} files, {sum(lines.values()):,} lines; longest: {longest.relative_to(source)}, {lines[longest]}"
    )
    arrows: Counter[tuple[str, str]] = Counter()
    for path in files:
        for module in imports(path):
            target = modules.get(module)
            there = folder_of(target, source) if target else module.removeprefix(f"{PACKAGE}.").replace(".", "/")
            top, other = folder_of(path, source).split("/")[0], there.split("/")[0]
            if top != other and other not in FOUNDATION:
                arrows[top, other] += 1
    print("\n```mermaid\nflowchart TD")
    for top in sorted({folder.split("/")[0] for folder in folders} - set(FOUNDATION)):
        own = [folder for folder in folders if folder.split("/")[0] == top]
        members = [path for folder in own for path in folders[folder]]
        below = ", ".join(folder.removeprefix(f"{top}/") for folder in own if folder != top)
        text = f"{top}: {len(members)} files, {sum(map(lines.__getitem__, members)):,} lines"
        print(f'  {top}["{text}{below and f"<br/>{below}"}"]')
    for (top, other), count in sorted(arrows.items()):
        if count >= DRAWN:
            print(f"  {top} --> {other}")
    print("```")


if __name__ == "__main__":
    main()
