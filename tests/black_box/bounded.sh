#!/bin/sh
# Runs $EXECUTABLE with 300 MB of address space.
ulimit -v 300000 && exec "$EXECUTABLE"
