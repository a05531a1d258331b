"""The executables that are deployed and released, and the crates in them."""

from cargo_build import cargo_output

# The functions that are deployed: Cargo's flags by executable, which has the package's name.
SHIPPED = {
    "click-processor": [],
    "click-collector": ["--package", "click-collector"],
    "mysfits-service": ["--package", "mysfits-service", "--no-default-features"],
}

# A release has the command line, too.
RELEASED = SHIPPED | {"clicks": ["--package", "clicks"]}


def linked(target: str, flags: list[str]) -> set[tuple[str, str]]:
    """Name and version of each crate in the executable, macros included, without build dependencies."""
    tree = ["tree", "--locked", *flags, "--target", target, "--edges", "normal"]
    lines = cargo_output(*tree, "--prefix", "none", "--format", "{p}").splitlines()
    return {(name, version.removeprefix("v")) for name, version in (line.split()[:2] for line in lines)}
