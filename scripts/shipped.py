"""The executables that are deployed and released."""

# The functions that are deployed: Cargo's flags by executable, which has the package's name.
SHIPPED = {
    "click-processor": [],
    "click-collector": ["--package", "click-collector"],
    "mysfits-service": ["--package", "mysfits-service", "--no-default-features"],
}

# A release has the command line, too.
RELEASED = SHIPPED | {"clicks": ["--package", "clicks"]}
