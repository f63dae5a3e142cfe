"""`python -m nst map`: a folder of pictures by what resembles what, as a page to open in a browser."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from nst.cli.arguments import Parser
from nst.cli.files import kept, pulled
from nst.cli.options import whole_path
from nst.cli.table import table
from nst.collection import (
    KINDS,
    LAYOUTS,
    Analysis,
    Collection,
    analyze,
    map_page,
    names_in,
    read_collection,
    write_table,
)
from nst.images import ImageError, written
from nst.places import PROGRAM


def parser() -> Parser:
    """The parser of this command."""
    made = Parser(
        prog=f"{PROGRAM} map",
        description="Draw a map of a folder of pictures: what resembles what, by style and by content.",
        epilog=f"Example: {PROGRAM} map paintings/ -o map.html --csv map.csv",
    )
    made.add_argument("folder", metavar="FOLDER", help="a folder of pictures; those in folders inside it count too")
    made.add_argument("-o", "--output", metavar="OUT", help="the page to write (.html); left out is none")
    made.add_argument("--csv", metavar="FILE", help="also write a table: places, clusters, nearest, outliers")
    made.add_argument(
        "--near", metavar="PICTURE", help="print what is nearest to this picture: its path, or its name in the folder"
    )
    made.add_argument("--layout", choices=LAYOUTS, default=LAYOUTS[0], help="how places are found (default: pca)")
    made.add_argument("--clusters", metavar="N", type=int, help="how many groups (default: by the number of pictures)")
    made.add_argument("--encoder", default="compact", help="what looks at the pictures (default: compact)")
    made.add_argument("--no-cache", action="store_true", help="neither use nor keep what is found")
    return made


def main(argv: Sequence[str]) -> int:
    """Run the command: 0 when done."""
    args = parser().parse_args(argv)
    out, csv_out = (target(path, suffix) for path, suffix in ((args.output, ".html"), (args.csv, ".csv")))
    folder = Path(args.folder).expanduser()
    near = name_in(folder, args.near) if args.near else None
    encoder = pulled(args.encoder) or whole_path(args.encoder)
    with tqdm(desc=folder.name, unit=" pictures", file=sys.stderr, disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        found = read_collection(folder, encoder=encoder, keep=not args.no_cache, progress=progress)
    for name, why in found.broken.items():
        print(f"{name}: {why}", file=sys.stderr)
    analyses = {kind: analyze(getattr(found, kind), layout=args.layout, clusters=args.clusters) for kind in KINDS}
    if near:
        print(*table(nearest(found, analyses, near)), sep="\n")
    else:
        print(f"{len(found.names)} pictures, {len(found.broken)} left out")
        print(*table(groups(found, analyses)), sep="\n")
    if csv_out:
        print(kept(lambda path: write_table(path, found, analyses), csv_out))
    if out:
        print(kept(lambda path: write_page(path, map_page(found, analyses, folder.resolve().name)), out))
    return 0


def target(output: str | None, suffix: str) -> Path | None:
    """Where a file goes: its folder is made, and what could not be written later is refused now."""
    if not output:
        return None
    path = Path(output).expanduser()
    if path.suffix.lower() != suffix:
        raise ImageError(f"'{output}' must end in {suffix}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with written(path.with_name(f"{path.name}.trial")) as part:
        part.touch()
    path.with_name(f"{path.name}.trial").unlink()
    return path


def name_in(folder: Path, picture: str) -> str:
    """What a picture is called among those of the folder, asked for by its path, its name in the folder, or its last.
    Raises ImageError where it is not among them."""
    names, path = names_in(folder), Path(picture).expanduser().resolve()
    within = path.relative_to(folder.resolve()).as_posix() if path.is_relative_to(folder.resolve()) else picture
    told = [one.encode("utf-8", "replace").decode() for one in (within, picture)]
    for wanted in told:
        if wanted in names:
            return wanted
    for name in names:
        if Path(name).name == told[1]:
            return name
    raise ImageError(f"'{told[1]}' is not among the {len(names)} pictures of {folder}; give its path.")


def nearest(found: Collection, analyses: dict[str, Analysis], picture: str) -> list[dict[str, object]]:
    """A row for each of the pictures that are nearest to one, by each kind."""
    if picture in found.broken:
        raise ImageError(f"{picture} was left out: {found.broken[picture]}")
    place = found.names.index(picture)
    return [
        {"by": kind, "nearest": found.names[int(j)], "distance": float(far)}
        for kind, one in analyses.items()
        for j, far in zip(one.nearest[place], one.distances[place], strict=True)
    ]


def groups(found: Collection, analyses: dict[str, Analysis]) -> list[dict[str, object]]:
    """A row for each group: how many it holds, and what stands in its middle; and one for each outlier."""
    listed: list[dict[str, object]] = []
    for kind, one in analyses.items():
        for i, medoid in enumerate(one.medoids):
            count, name = one.clusters.count(i), found.names[medoid]
            listed.append({"by": kind, "group": i + 1, "pictures": count, "middle": name})
        listed += [{"by": kind, "group": "alone", "pictures": 1, "middle": found.names[i]} for i in one.outliers]
    return listed


def write_page(path: Path, page: str) -> Path:
    """Write HTML, whole or not at all."""
    with written(path) as part:
        part.write_text(page, encoding="utf-8", errors="backslashreplace")
    return path
