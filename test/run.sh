#!/bin/sh
# `npm test`: installs, builds, then the quick gate, the unit tests and the end-to-end suites. The last line is the sum.
set -eu
cd "$(dirname "$0")/.."
. cli/install.sh

echo 'viworks: npm test'
install_packages
build_program

# Some suites need more than npm has. As root they get it from Debian; else they are skipped and say so.
if [ "$(id -u)" = 0 ] && [ ! -x /usr/sbin/nginx ] && command -v apt-get > /dev/null; then
  say packages 'apt-get install nginx-light …'
  # Installed for its program only: a server that starts by itself would take port 80.
  made=
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    made=1
  fi
  log=$(mktemp)
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nginx-light; } > "$log" 2>&1 ||
    say packages "failed, the suites that need it are skipped: $(tail -n 1 "$log")"
  rm -f "$log"
  [ -z "$made" ] || rm -f /usr/sbin/policy-rc.d
fi
exec sh cli/on-node.sh test/suites.ts "$@"
