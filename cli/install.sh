# Sourced by `npm start` and `npm test`: brings node_modules in step with package-lock.json, and says so.
# Works with the system's own Node and npm; everything after it runs on the pinned Node that it installs.

# say LABEL TEXT: one line of progress, aligned with those of `viworks up`.
say() {
  printf '  %-10s %s\n' "$1" "$2"
}

# npm writes node_modules/.package-lock.json last, so it is newer than the lock file that it was made from.
install_packages() {
  if [ -f node_modules/.package-lock.json ] && ! [ package-lock.json -nt node_modules/.package-lock.json ] && [ -x node_modules/.bin/node ]; then
    say install 'up to date'
    return 0
  fi
  command -v npm > /dev/null || {
    echo 'viworks: npm is not installed' >&2
    echo '  remedy: install Node with npm, on Debian: apt-get install nodejs npm' >&2
    exit 64
  }
  say install 'npm ci (about half a minute) …'
  began=$(date +%s)
  log=$(mktemp)
  # The engine warning of an older system Node is of no use here: only npm itself runs on it.
  if ! npm ci --include=dev --include=optional --no-audit --no-fund --loglevel=error > "$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    echo 'viworks: npm ci failed' >&2
    echo '  remedy: check the network and the registry (npm config get registry), then run it again' >&2
    exit 1
  fi
  packages=$(sed -n 's/^added \([0-9]*\) packages.*/\1/p' "$log")
  rm -f "$log"
  if [ ! -x node_modules/.bin/node ]; then
    echo "viworks: npm did not bring the pinned Node for $(uname -s) $(uname -m)" >&2
    echo '  remedy: it comes for Linux on x64 and arm64, unless npm was told to omit optional dependencies (npm config get omit)' >&2
    exit 64
  fi
  say install "${packages:-all} packages$(printf '%41s' "$(($(date +%s) - began)) s")"
}

# The launcher builds by itself when the sources are newer; here it is only said.
build_program() {
  began=$(date +%s%N)
  if [ -n "$(./viworks --version 2>&1 > /dev/null)" ]; then
    took=$((($(date +%s%N) - began) / 100000000))
    say build "dist/$(printf '%48s' "$((took / 10)).$((took % 10)) s")"
  else
    say build 'up to date'
  fi
}
