// The shell lines of a first contact. Pure text: whatever the login shell is, one POSIX `sh` either becomes the helper, or says
// what a bare host is and then takes runtime and helper from its standard input.
import { LAYOUT } from '../plan/layout.ts';

/**
 * What is run over the one exec channel. `word` marks our lines, so that the noise of start-up files is skipped.
 * With a helper on the host it becomes that helper; else it prints a `bare` message, and runs a script whose length is the
 * next line of its input.
 */
export function contactScript(word: string): string {
  return `H=${LAYOUT.helper}
if [ "$(id -u)" = 0 ]; then S=; else S="sudo -n"; fi
if [ -x $H ]; then
  N=$(head -n 1 $H); N=\${N#??}
  if [ -x "$N" ]; then exec $S $H session ${word}; fi
fi
R=no; if $S /bin/sh -c : 2>/dev/null; then R=yes; fi
. /etc/os-release 2>/dev/null || :
V=; if [ -x /usr/sbin/nginx ]; then V=$(/usr/sbin/nginx -v 2>&1); V=\${V##*/}; V=\${V%% *}; fi
D=; for T in flock gzip head sha256sum unshare setpriv perl systemctl; do command -v $T >/dev/null 2>&1 || D="$D $T"; done
L=no; for F in /usr/lib/*/libstdc++.so.6 /usr/lib64/libstdc++.so.6; do [ -e "$F" ] && L=yes; done
I=no; [ -n "$(cat /proc/net/if_inet6 2>/dev/null)" ] && I=yes
set -- $(df -Pk /opt | tail -n 1)
printf '\\n%s {"type":"bare","facts":{"arch":"%s","root":"%s","os":"%s","osVersion":"%s","nginx":"%s","missing":"%s","libstdcxx":"%s","ipv6":"%s","freeKb":"%s","machineId":"%s"}}\\n' ${word} "$(uname -m)" "$R" "$ID" "$VERSION_ID" "$V" "$D" "$L" "$I" "$4" "$(cat /etc/machine-id 2>/dev/null)"
IFS= read -r N || exit 0
exec $S /bin/sh -c "$(head -c "$N")"
`;
}

/** Takes a runtime and the helper from standard input, checks both digests, and becomes the helper. */
export function bootstrapScript(word: string): string {
  const helper = LAYOUT.helper;
  return `set -e
umask 022
read -r RS RL HS HL
P=${LAYOUT.incoming}/$RS.part
mkdir -p ${LAYOUT.runtimes}/$RS ${LAYOUT.incoming} ${helper.replace(/\/[^/]+$/, '')}
chmod 700 ${LAYOUT.incoming}
if [ "$RL" != 0 ]; then
  head -c "$RL" | gzip -dc > "$P"
  echo "$RS  $P" | sha256sum --check --quiet - >&2
  chmod 755 "$P"
  mv "$P" ${LAYOUT.runtimes}/$RS/node
fi
head -c "$HL" > ${helper}.new
echo "$HS  ${helper}.new" | sha256sum --check --quiet - >&2
chmod 755 ${helper}.new
mv ${helper}.new ${helper}
exec ${helper} session ${word}
`;
}
