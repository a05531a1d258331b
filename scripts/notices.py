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

# The copyright is that of its file COPYRIGHT, the text that of the licence (opensource.org/license/mit).
MUSL = """Copyright © 2005-2020 Rich Felker, et al.

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the
"Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to
the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR
ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH
THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."""

HEADING = """Third-party notices

The executables of this release contain the following crates, libraries and scripts. Each is used under the licence that it states.
"""


def texts_of(package: dict) -> list[str]:
    folder = Path(package["manifest_path"]).parent
    # Some have parts of others in folders, with their own licences.
    files = {file for file in folder.rglob("*") if file.is_file() and file.name.lower().startswith(PREFIXES)}
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
    # Its licence is "MIT OR Apache-2.0".
    cover((ROOT / "LICENSE").read_text().strip(), "Rust's standard library: Apache-2.0")
    if target.endswith("musl"):
        cover(MUSL, "musl: MIT")
    sections = sorted((sorted(names), texts[key]) for key, names in covered.items())
    line = "-" * 80
    return HEADING + "".join(f"\n{line}\n" + "\n".join(names) + f"\n{line}\n\n{text}\n" for names, text in sections)
