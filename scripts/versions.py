"""The version of this repository, and its section of the changelog."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def version() -> str:
    return tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]


def section(name: str) -> tuple[str, str] | None:
    """What follows the name in the heading of a section, such as a date, and the text of the section."""
    parts = re.split(r"^## \[?([^]\s]+)\]?(.*)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    for heading, rest, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        if heading == name:
            return rest.strip(" -–—"), text.strip() + "\n"
    return None
