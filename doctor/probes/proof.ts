// Shell that decides what root may believe and read on a host: processes by what the kernel says of them, files by who could have put
// them there. Every section reads processes' programs and files of others through it; nobody else opens a file that a host names.

/**
 * Where secrets are kept, as patterns of `case`, against the name that was asked for and the one that was opened. Certificates often lie
 * beside keys, so a directory of keys is refused by its usual name and a key by its own. Where only certificates are taken out of a file, which
 * are public, no store is closed: nginx takes certificate and key from one file in /etc/ssl/private as well.
 */
const SECRET_STORES = [
  '/proc/*',
  '/sys/*',
  '/dev/*',
  '*/etc/shadow*',
  '*/etc/gshadow*',
  '*/etc/sudoers*',
  '*/etc/security/opasswd*',
  '*/ssl/private/*',
  '*/tls/private/*',
  '*/ssh_host_*_key',
  '*/run/credentials/*',
  '*/run/secrets/*',
  '*/credstore*/*',
  '*/systemd/credential*',
  '*/.ssh/*',
  '*/.gnupg/*',
  '*/.aws/*',
  '*/.docker/*',
  '*/.kube/*',
  '*/.config/gcloud/*',
  '*/.netrc',
  '*/.pgpass',
  '*/.my.cnf',
  '*/.git-credentials',
  '*/.env',
  '*htpasswd*',
  '*.key',
  '*.p12',
  '*.pfx',
  '*.jks',
  '*.keystore',
  '*.keytab',
  '*.kdbx',
  '*/privkey*.pem',
  '*key.pem',
  '*[-_/.]token',
  '*[-_/.]secret',
  '*[-_/.]password',
] as const;

/** A configuration larger than this is none, in bytes. */
const FILE_BYTES = 256 * 1024;

/**
 * Opens a file once and judges what is open, so that nothing can be swapped in between; prints `+MTIME UID` and the content, or
 * `!refused WHY`. Arguments: file, service's user, pid of the container ('' = the host), what of it (all, certs, tail, or part: of which
 * the caller lets nothing secret leave the host), bytes of the tail, and `by` when somebody other than root named the file. A tail's first line is `+MTIME UID INODE SIZE`; with `BYTES INODE SIZE` of an
 * earlier look for its bytes it is only what was written since.
 * On the host every directory and every link on the way, also of links to links, belongs to root, the service's user or ourselves, and no group
 * of people may write there: whoever may is who decides. Where it is not root alone, the service's user must be able to read it himself. In a
 * container the open file must lie on one of its own mounts.
 */
const JUDGE = `f=$1 who=$2 P=$3 how=$4 n=$5 by=$6
no() { echo "!refused $1"; exit 3; }
store() { case $how in certs|part) return 0;; esac; case $1 in ${SECRET_STORES.join('|')}) no "secrets are kept there";; esac; }
case $f in /*) ;; *) no "its name is relative";; esac
store "\${f#"/proc/$P/root"}"
[ -f "$f" ] || no "it is not a regular file"
[ -r "$f" ] || no "it is not readable"
me=$(id -u)
exec 3<"$f"
real=$(readlink /proc/self/fd/3) || no "the kernel does not say what it is"
store "$real"
set -- $(stat -L -c "%u %g %a %f %i %s" /proc/self/fd/3 2>/dev/null)
[ $# = 6 ] || no "stat does not say whose it is"
[ "$how" != all ] || [ "$6" -le ${FILE_BYTES} ] || no "it is larger than ${FILE_BYTES / 1024} kB"
u=$1 g=$2 a=$3 at="$5 $6" size=$6
case $4 in 8???) ;; *) no "it is not a regular file";; esac
[ $((0$a & 2)) = 0 ] || no "anybody may write it"
if [ -n "$P" ]; then
  id=$(sed -n "s/^mnt_id:[[:space:]]*//p" /proc/self/fdinfo/3)
  grep -q "^\${id:-none} " /proc/$P/mountinfo || no "it lies outside of the container"
else
  su= sg=
  if [ -n "$who" ]; then case $who in *[!0-9]*) su=$(id -u "$who" 2>/dev/null) || su=;; *) su=$who;; esac; sg=$(id -G "$who" 2>/dev/null); fi
  ok=" 0 $su $me "
  ours() { case "$ok" in *" $1 "*) ;; *) no "it lies in the hands of uid $1";; esac; }
  may() {
    m=$((0$3))
    if [ "$1" = "$su" ]; then m=$((m / 64)); else case " $sg " in *" $2 "*) m=$((m / 8));; esac; fi
    [ $((m & $4)) != 0 ]
  }
  ours "$u"
  if [ $((0$a & 16)) != 0 ] && [ "$g" -ge 1000 ]; then case " $sg $(id -G) " in *" $g "*) ;; *) no "the group $g may write it";; esac; fi
  people() { case " $sg $(id -G) " in *" $1 "*) return 1;; esac; [ "$1" -ge 1000 ]; }
  if [ $((0$a & 16)) != 0 ] && people "$g"; then no "the group $g may write it"; fi
  NL="
"
  # As the kernel goes it: every directory that is passed, and every link that is followed.
  dirs=/ links= cur= rest=\${f#/} hops=0
  while [ -n "$rest" ]; do
    c=\${rest%%/*}
    case $rest in *"$NL"*) no "its name has two lines";; */*) rest=\${rest#*/};; *) rest=;; esac
    case $c in ""|.) continue;; ..) cur=\${cur%/*}; continue;; esac
    if [ -L "$cur/$c" ]; then
      hops=$((hops + 1))
      [ "$hops" -le 40 ] || no "its links have no end"
      l=$(readlink "$cur/$c") || no "a link on its way cannot be read"
      links="$links$cur/$c$NL"
      case $l in /*) cur=;; esac
      rest=$l/$rest
    else
      cur=$cur/$c
      [ -z "$rest" ] || dirs="$dirs$NL$cur"
    fi
  done
  [ "$cur" = "$real" ] || no "it was replaced while it was looked at"
  IFS=$NL
  set -f
  set -- $dirs
  all=$(stat -L -c "%u %g %a" "$@" 2>/dev/null) || no "a directory on its way cannot be seen"
  set -- $links
  of=$([ $# = 0 ] || stat -c "%u" "$@" 2>/dev/null) || no "a link on its way cannot be seen"
  ways() { d=\${1%/*}; while [ -n "$d" ]; do echo "$d"; d=\${d%/*}; done; }
  set -- $(ways "$real") /
  to=$(stat -L -c "%u %g %a" "$@" 2>/dev/null)
  IFS=" $NL"
  [ "$u" = 0 ] || by=by
  for o in $of; do
    ours "$o"
    [ "$o" = 0 ] || by=by
  done
  set -- $all
  while [ $# -ge 3 ]; do
    ours "$1"
    [ "$1" = 0 ] || by=by
    if [ $((0$3 & 512)) = 0 ]; then
      [ $((0$3 & 2)) = 0 ] || no "anybody may write a directory on its way"
      if [ $((0$3 & 16)) != 0 ] && people "$2"; then no "the group $2 may write a directory on its way"; fi
    fi
    shift 3
  done
  if [ -n "$by" ] && [ "$me" = 0 ] && [ "$su" != 0 ]; then
    [ -n "$su" ] && may "$u" "$g" "$a" 4 || no "who put it there could not read it"
    set -- $to
    while [ $# -ge 3 ]; do may "$1" "$2" "$3" 1 || no "who put it there could not reach it"; shift 3; done
  fi
fi
case $how in tail) u="$u $at";; esac
echo "+$(date -r /proc/self/fd/3 +%s.%N 2>/dev/null || echo -) $u"
case $how in
  certs) sed -n "/BEGIN CERT/,/END CERT/p" <&3;;
  tail)
    set -- $n
    from=0
    [ "$size" -le "$1" ] || from=$((size - $1))
    # Of the same file, and not cut since: only what came after.
    [ "$2" = "\${at% *}" ] && [ "$3" -le "$size" ] && [ "$3" -gt "$from" ] && from=$3
    tail -c "+$((from + 1))" <&3 | head -c "$((size - from))";;
  *) head -c ${FILE_BYTES} <&3;;
esac`;

/**
 * Functions for the sections. `take` reads a file (see above; a FIFO that is swapped in ends with the timeout). `uid_of PID` and
 * `parent_of PID` read the kernel's status. `program_of PID` is 0 and leaves $x when its program's file belongs to root (or to us) and
 * nobody else may write it, 1 when that is not so, 2 when the kernel does not let us look. `users_of UNIT…` prints the users whose
 * processes may be the units': root, ourselves and theirs. `viworks_pids USERS` prints their processes that speak of viworks;
 * of a stranger's process nothing is read that he could make wait.
 */
export const PROOF = `JUDGE='${JUDGE}'
take() { ( IFS=' '; $T sh -c "$JUDGE" sh "$1" "$2" "$3" "\${4:-all}" "\${5:-0}" "$6" </dev/null 2>/dev/null 9>/dev/null || [ $? = 3 ] || echo '!refused it could not be read' ); }
uid_of() { sed -n 's/^Uid:[[:space:]]*\\([0-9]*\\).*/\\1/p' "/proc/$1/status" 2>/dev/null; }
parent_of() { sed -n 's/^PPid:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null; }
program_of() {
  x=$(readlink "/proc/$1/exe" 2>/dev/null) && [ -n "$x" ] || return 2
  x=\${x% (deleted)}
  y=$(stat -L -c '%u %a' "/proc/$1/exe" 2>/dev/null) || return 2
  case \${y%% *} in 0|"$ME") ;; *) return 1;; esac
  [ $((0\${y#* } & 2)) = 0 ]
}
users_of() {
  echo 0; echo "$ME"
  [ -d /run/systemd/system ] && for v in $($T systemctl show --no-pager -p User "$@" 2>/dev/null | sed -n 's/^User=//p'); do id -u "$v" 2>/dev/null; done
}
viworks_pids() {
  l=$(grep -lE "^Uid:[[:space:]]+($1)[[:space:]]" /proc/[0-9]*/status 2>/dev/null | sed 's/status$/cmdline/')
  [ -n "$l" ] && $T grep -la viworks $l 2>/dev/null | tr -dc '0-9\\n'
}
ME=$(id -u)`;
