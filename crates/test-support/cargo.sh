#!/bin/sh
# Stands in for cargo where a test lets `clicks` build a function. It builds it with the features of the whole workspace, as the tests were
# built: for the function's package alone, cargo would build its dependencies once more, which takes a minute.
if [ "$1" != build ]; then
    exec "$TEST_CARGO" "$@"
fi
while [ "$1" != --package ]; do shift; done
"$TEST_CARGO" build --locked --quiet --workspace --tests --bin "$2" --message-format json-render-diagnostics |
    grep "/$2\",\"fresh\""
