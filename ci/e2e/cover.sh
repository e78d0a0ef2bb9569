#!/bin/sh
# Compiles the package, and not its dependencies, so that it counts the lines that it executes (RUSTC_WORKSPACE_WRAPPER).
# Names are stored as they are: not every build of the LLVM tools can inflate them.
exec "$@" -C instrument-coverage -C llvm-args=-enable-name-compression=false
