"""The licence notices of a release: what its executables contain of others."""

import json
from collections import defaultdict
from pathlib import Path

from cargo_build import ROOT, cargo_output
from shipped import RELEASED, linked

# As crates name them: LICENSE, LICENSE-MIT, license.txt, COPYING, NOTICE, COPYRIGHT.
PREFIXES = ("license", "licence", "copying", "notice", "copyright", "unlicense")
# The page of `clicks` contains it.
UPLOT = ROOT / "web" / "pipeline" / "uplot" / "LICENSE"

HEADING = """Third-party notices

The executables of this release contain the following crates and scripts. Each is used under the licence that it states.
"""


def texts_of(package: dict) -> list[str]:
    folder = Path(package["manifest_path"]).parent
    files = {file for file in folder.iterdir() if file.is_file() and file.name.lower().startswith(PREFIXES)}
    if package["license_file"]:
        files.add(folder / package["license_file"])
    return [file.read_text(errors="replace").strip() for file in sorted(files)]


def notices(target: str) -> str:
    """Every licence text once, below the names of those that it covers. A crate without a text is listed with its licence."""
    metadata = json.loads(cargo_output("metadata", "--locked", "--format-version", "1", "--filter-platform", target))
    crates = set().union(*(linked(target, flags) for flags in RELEASED.values()))
    # By the text without its line breaks, which differ between copies of one licence.
    covered: defaultdict[str, list[str]] = defaultdict(list)
    texts: dict[str, str] = {}

    def cover(text: str, name: str) -> None:
        key = " ".join(text.split())
        texts.setdefault(key, text)
        covered[key].append(name)

    for package in metadata["packages"]:
        if package["source"] is None or (package["name"], package["version"]) not in crates:
            continue
        name = f"{package['name']} {package['version']}: {package['license'] or 'see below'}"
        for text in texts_of(package) or ["This package contains no file with a licence."]:
            cover(text, name)
    cover(UPLOT.read_text().strip(), "uPlot: MIT")
    sections = sorted((sorted(names), texts[key]) for key, names in covered.items())
    line = "-" * 80
    return HEADING + "".join(f"\n{line}\n" + "\n".join(names) + f"\n{line}\n\n{text}\n" for names, text in sections)
