"""What the builds of executables share."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".venv" / "bin"


def cargo(*arguments: str, **options) -> subprocess.CompletedProcess:
    """Runs Cargo, which reports its own errors."""
    command = ["cargo", *arguments]
    # `make lambda-tools` installs cargo-lambda there. It takes precedence over another one on the path.
    path = os.pathsep.join([str(TOOLS), os.environ["PATH"]]) if (TOOLS / "cargo-lambda").exists() else os.environ["PATH"]
    try:
        return subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"PATH": path} | options.pop("env", {}), **options)
    except subprocess.CalledProcessError as error:
        sys.exit(f"failed, with exit code {error.returncode}: {' '.join(command)}")


def remapped(target: str) -> list[str]:
    """rustc's flags that replace the folder of dependencies. They do not depend on the checkout's."""
    metadata = json.loads(
        cargo("metadata", "--locked", "--format-version", "1", "--filter-platform", target, stdout=subprocess.PIPE).stdout
    )
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
