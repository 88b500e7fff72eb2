# Sourced by `npm start` and `npm test`: brings node_modules in step with package-lock.json, and says so.
# Works with the system's own Node and npm; everything after it runs on the pinned Node that it installs.
. cli/node.sh

# say LABEL TEXT: one line of progress, aligned with those of `viworks up`.
say() {
  printf '  %-10s %s\n' "$1" "$2"
}

# npm writes node_modules/.package-lock.json last, so it is newer than the lock file that it was made from.
install_packages() {
  find_node .
  if [ -n "$node" ] && [ -f node_modules/.package-lock.json ] && ! [ package-lock.json -nt node_modules/.package-lock.json ]; then
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
  run_npm_ci || retry_npm_ci || explain_npm_failure
  find_node .
  if [ -z "$node" ]; then
    rm -f "$log"
    echo "viworks: npm did not bring the pinned Node for $(uname -s) $(uname -m)" >&2
    echo '  remedy: it comes for Linux on x64 and arm64, unless npm was told to omit optional dependencies (npm config get omit)' >&2
    exit 64
  fi
  install_left_out
  packages=$(sed -n 's/^added \([0-9]*\) packages.*/\1/p' "$log")
  rm -f "$log"
  say install "${packages:-all} packages$(printf '%41s' "$(($(date +%s) - began)) s")"
}

# Without a network npm would go on trying for more than a minute before it says so. The engine warning of an older system Node is of no use
# here: only npm itself runs on it.
run_npm_ci() {
  npm ci --include=dev --include=optional --no-audit --no-fund --loglevel=error \
    --fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=2000 --fetch-timeout=60000 > "$log" 2>&1
}

npm_code() {
  sed -n 's/^npm \(ERR!\|error\) code //p' "$log" | tail -n 1
}

# One more try for what may pass by itself.
retry_npm_ci() {
  case $(npm_code) in
    EAI_AGAIN | ECONNRESET | ETIMEDOUT | ERR_SOCKET_TIMEOUT | EINTEGRITY | E50? | E429) ;;
    *) return 1 ;;
  esac
  say install "failed with $(npm_code), trying once more …"
  run_npm_ci
}

explain_npm_failure() {
  code=$(npm_code)
  cat "$log" >&2
  rm -f "$log"
  registry=$(npm config get registry 2> /dev/null || echo unknown)
  echo "viworks: npm ci failed${code:+ ($code)} after $(($(date +%s) - began)) s" >&2
  case $code in
    EACCES | EPERM | EROFS | ENOTDIR) remedy="$(pwd) or npm's cache ($(npm config get cache)) cannot be written by $(id -un): use a directory of your own, or correct the owner" ;;
    ENOSPC | EDQUOT) remedy='the disk is full: the packages need about 600 MB here and in the cache of npm' ;;
    EAI_AGAIN | ENOTFOUND) remedy="the registry's name does not resolve ($registry): check the network and the name server" ;;
    ECONNREFUSED | ECONNRESET | ETIMEDOUT | ERR_SOCKET_TIMEOUT | E50?) remedy="the registry does not answer ($registry): check the network and the proxy (npm config get proxy)" ;;
    E401 | E403) remedy="the registry refuses this account ($registry): npm login, or another registry" ;;
    E404) remedy="the registry does not have a package of package-lock.json ($registry): use one that mirrors all of npm" ;;
    EINTEGRITY) remedy='what came is not what package-lock.json says: npm cache clean --force, then run it again; a proxy may change what it passes on' ;;
    SELF_SIGNED_CERT_IN_CHAIN | UNABLE_TO_*) remedy="the registry's certificate is not trusted ($registry): npm config set cafile FILE" ;;
    EUSAGE) remedy='package.json and package-lock.json do not fit together: git checkout package-lock.json' ;;
    *) remedy='the lines above are those of npm; run it again after fixing what they name' ;;
  esac
  echo "  remedy: $remedy" >&2
  exit 1
}

# An old system Node makes npm leave out packages that need a newer one (of Node 16: the bundler). They come with npm on the pinned Node, which
# is run from a copy since npm empties node_modules first.
install_left_out() {
  [ -n "$("$node" cli/missing-packages.ts)" ] || return 0
  say install "npm ci again on the pinned Node: npm on $(node --version 2> /dev/null || echo 'the Node of this system') left packages out …"
  copy=$(mktemp -d)
  cp "$node" "$copy/node"
  PATH=$copy:$PATH run_npm_ci || explain_npm_failure
  rm -rf "$copy"
  find_node .
  missing=$("$node" cli/missing-packages.ts)
  [ -z "$missing" ] || {
    rm -f "$log"
    printf 'viworks: npm left out packages that belong on this machine:\n%s\n' "$missing" >&2
    echo '  remedy: use npm 10 or newer (npm install -g npm@10), then run it again' >&2
    exit 64
  }
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
