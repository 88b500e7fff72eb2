// Shell that finds nginx on a host or in its container, proves whose it is, and prints the files of its configuration.
import { quoteWord } from '../../agents/runtime/index.ts';
import type { NginxPlace } from './ask.ts';
import { containerName } from './docker.ts';

/**
 * Shell functions. `nginx_pids` prints nginx's processes: masters are the unit's main process and what root runs, workers are their
 * children or in the unit's cgroup, and the program of each is a file that only root can change, as far as it can be seen; what others
 * call nginx is not examined. `nginx_conf` prints every file that the configuration consists of, following includes through globs as
 * nginx does; each file goes through `take`. In a container the files are read through /proc/PID/root, so nothing is started in it;
 * absolute links would lead out of it there and are followed by hand. Of a stopped container only bind mounts can be read.
 */
export function nginxPrelude(place: NginxPlace): string {
  const container = place.container === null ? ':' : containerName(place.container);
  return `C=$( { ${container}; } 9>&1 )
NU=${quoteWord(place.unit ?? '')} NE=${quoteWord(place.entry ?? '')}
nginx_root() {
  R=; P=
  [ -n "$C" ] || return 0
  P=$($T docker inspect -f '{{.State.Pid}}' "$C" 2>/dev/null)
  [ "\${P:-0}" -gt 0 ] && R=/proc/$P/root
}
nginx_proven() {
  for p in $1; do
    program_of "$p"
    case $? in 0) case \${x##*/} in nginx*|openresty) echo "$p";; esac;; 2) echo "$p";; esac
  done
}
nginx_pids() {
  set -- $(grep -lx nginx /proc/[0-9]*/comm 2>/dev/null | sed 's/comm$/status/')
  [ $# -gt 0 ] || return 0
  if [ -n "$C" ]; then
    i=$($T docker inspect -f '{{.Id}}' "$C" 2>/dev/null)
    [ -n "$i" ] && grep -l "$i" $(echo "$@" | sed 's/status/cgroup/g') 2>/dev/null | tr -dc '0-9\\n' | head -n 64
    return 0
  fi
  m=; [ -n "$NU" ] && have systemctl && m=$($T systemctl show --no-pager -p MainPID "$NU" 2>/dev/null | sed -n 's/^MainPID=//p')
  o=0; [ -n "$NE" ] && o="0|$ME"
  q="$(echo "$@" | tr ' ' '\\n' | grep -x "/proc/\${m:-0}/status") $(grep -lE "^Uid:[[:space:]]+($o)[[:space:]]" "$@" 2>/dev/null)"
  q=$(nginx_proven "$(echo "$q" | tr -dc '0-9\\n ' | head -n 32)")
  [ -n "$q" ] || return 0
  w=$(grep -lE "^PPid:[[:space:]]+($(echo $q | tr ' ' '|'))$" "$@" 2>/dev/null | tr -dc '0-9\\n')
  [ -n "$NU" ] && w="$w $(grep -lE "^(0:|[0-9]+:name=systemd):.*/system.slice/$NU$" $(echo "$@" | sed 's/status/cgroup/g') 2>/dev/null | tr -dc '0-9\\n')"
  w=$(nginx_proven "$(echo $w | tr ' ' '\\n' | head -n 64)")
  for p in $q $w; do echo "$p"; done | sort -un
}
nginx_entry() {
  E=$NE
  [ -n "$E" ] && return 0
  E=$([ -n "$C" ] || for p in $NP; do
    grep -q '^NSpid:.*[0-9][[:space:]][[:space:]]*[0-9]' "/proc/$p/status" && continue
    # A worker may write anything over its own arguments; the master's are root's, or ours.
    case $(uid_of "$p") in 0|"$ME") ;; *) continue;; esac
    tr '\\0' ' ' </proc/$p/cmdline 2>/dev/null | sed -n 's/.*master process.* -c \\([^ ]*\\).*/\\1/p'; done | head -n 1)
  [ -n "$E" ] || E=/etc/nginx/nginx.conf
}
# The user that nginx's workers run as: what lies in his directories is read only as far as he could read it.
nginx_user() {
  for p in $NP; do tr '\\0' ' ' </proc/$p/cmdline 2>/dev/null | grep -q '^nginx: worker' && { uid_of "$p"; return; }; done
  printf '%s\\n' "$NF" | sed -n 's/^[[:space:]]*user[[:space:]]\\{1,\\}\\([^ ;]*\\).*/\\1/p' | head -n 1
}
# Prints the file $2 under the name $1. $3: somebody other than root named it; $4: the name that is told when it is not read.
nginx_show() {
  b=$(take "$2" "$W" "$P" all 0 "$3")
  case $b in
    +*) m=$(printf '%s\\n' "$b" | head -n 1); printf '\\n--%s %s %s\\n' "$N" "$(echo "$m" | sed 's/^+//; s/ .*//')" "$1"; printf '%s\\n' "$b" | sed 1d;;
    *) printf '\\n--%s - %s\\n!unreadable %s\\n' "$N" "\${4:-$1}" "\${b#!refused }"; b=; m=;;
  esac
}
nginx_file() {
  case "$S" in *"|$1|"*) return 0;; esac
  S="$S|$1|"
  F=$R$1
  if [ -n "$R" ] && [ -L "$F" ]; then
    L=$(readlink "$F")
    case $L in /*) F=$R$L;; *) F=\${F%/*}/$L;; esac
  fi
  nginx_show "$1" "$F" "$2" "$3"
  [ -n "$b" ] || return 0
  # Positional parameters are the only local ones: what follows calls itself.
  if [ -n "$P" ] || [ "\${m##* }" = 0 ]; then set -- "$1" "$2"; else set -- "$1" by; fi
  IFS='
'
  for i in $(printf '%s\\n' "$b" | sed 1d | sed 's/#.*//' | tr ';{}' '\\n\\n\\n' | sed -n 's/^[[:space:]]*include[[:space:]]\\{1,\\}//p' | tr -d "'\\""); do
    case $i in /*) set -- "$1" "$2" "$i";; *) set -- "$1" "$2" "\${E%/*}/$i";; esac
    for f in $R$3; do
      if [ -e "$f" ] || [ -L "$f" ]; then nginx_file "\${f#"$R"}" "$2" "$3"; else case $f in *[*?[]*) ;; *) nginx_file "\${f#"$R"}" "$2" "$3";; esac; fi
    done
  done
}
nginx_conf() {
  S=; nginx_root; W=$(nginx_user); nginx_entry
  if [ -n "$C" ] && [ -z "$R" ]; then
    P=
    $T docker inspect -f '{{range .Mounts}}{{.Source}}{{"\\t"}}{{.Destination}}{{println}}{{end}}' "$C" 2>/dev/null | while IFS="$(printf '\\t')" read -r s d; do
      case $d in /etc/nginx*) for f in "$s" "$s"/*.conf; do [ -f "$f" ] && nginx_show "$d\${f#"$s"}" "$f"; done;; esac
    done
    return 0
  fi
  [ -e "$R$E" ] || { echo "!tool there is no $E"; return 0; }
  nginx_file "$E"
}
NP=$( { nginx_pids </dev/null; } 9>&1 )
NF=$( { nginx_conf 2>/dev/null </dev/null; } 9>&1 )
# What was cut short here is cut short in every section that stands on it.
nginx_whole() { case $C$NP$NF in *"$H"*) halved;; esac; }`;
}
