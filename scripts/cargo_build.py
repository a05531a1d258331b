"""What the builds of executables share."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from versions import ROOT

# `make lambda-tools` installs cargo-lambda and zig there, and nothing else.
TOOLS = ROOT / ".venv-lambda" / "bin"


def run(*command: str | Path, **options) -> subprocess.CompletedProcess:
    """Runs a command in the repository; it reports its own errors."""
    try:
        return subprocess.run(command, check=True, cwd=ROOT, **options)
    except FileNotFoundError:
        sys.exit(f"{command[0]}: program not found")
    except subprocess.CalledProcessError as error:
        sys.exit(f"failed, with exit code {error.returncode}: {' '.join(map(str, command))}")


def cargo(*arguments: str, env: dict[str, str] | None = None, **options) -> subprocess.CompletedProcess:
    # The tools take precedence over others on the path.
    path = os.pathsep.join([str(TOOLS), os.environ["PATH"]]) if (TOOLS / "cargo-lambda").exists() else os.environ["PATH"]
    return run("cargo", *arguments, env=os.environ | {"PATH": path} | (env or {}), **options)


def cargo_output(*arguments: str) -> str:
    return cargo(*arguments, stdout=subprocess.PIPE, text=True).stdout


def remapped(target: str) -> list[str]:
    """rustc's flags that replace the folder of dependencies. They do not depend on the checkout's."""
    metadata = json.loads(cargo_output("metadata", "--locked", "--format-version", "1", "--filter-platform", target))
    dependencies = [package for package in metadata["packages"] if package["source"] is not None]
    registries = {Path(package["manifest_path"]).parent.parent for package in dependencies}
    return [f"--remap-path-prefix={folder}=/registry" for folder in sorted(registries)]


def checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def write_checksums(folder: Path, pattern: str) -> dict[str, str]:
    """Writes SHA256SUMS over the files of a folder, and returns the digests by name."""
    sums = {file.name: checksum(file) for file in sorted(folder.glob(pattern))}
    (folder / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()))
    return sums
