#!/bin/sh
# Runs a script of this checkout on the pinned Node, with that Node first on PATH: `sh cli/on-node.sh test/check.ts`.
set -eu
root=$(CDPATH='' cd "$(dirname "$0")/.." && pwd -P)
. "$root/cli/node.sh"
find_node "$root"
if [ -z "$node" ]; then
  echo 'viworks: the packages of this checkout are not installed' >&2
  echo '  remedy: npm start, npm test or npm ci installs them' >&2
  exit 64
fi
# Tools of node_modules/.bin start with `env node`, and that must be the same one.
PATH=${node%/*}:$PATH
export PATH
exec "$node" "$@"
