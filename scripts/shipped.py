"""The functions that are deployed."""

# Cargo's flags by executable, which has the package's name. infra/lib builds with the same.
SHIPPED = {
    "click-processor": [],
    "click-collector": ["--package", "click-collector"],
    "mysfits-service": ["--package", "mysfits-service", "--no-default-features"],
}
