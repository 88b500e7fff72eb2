// Shell that reads what a unit's EnvironmentFile= names, through `take`: as root a file that others decide about is not read, and it says why.

/** Variables that decide whether a runtime starts at all; the values of all others stay on the host. */
export const STEERING =
  '^(NODE_[A-Z_]*|UV_[A-Z_]*|LD_[A-Z_]*|PERL5[A-Z_]*|PERLLIB|PATH|HOME|TMPDIR|MALLOC_[A-Z_]*|GLIBC_TUNABLES|SSL_CERT_[A-Z]*|OPENSSL_[A-Z_]*|JAVA_TOOL_OPTIONS|PYTHON[A-Z]*)$';

/** A pattern that matches more files than this is none of a service, in files. */
const ENVIRONMENT_FILES = 20;

/**
 * `environment NAME` with the service's user in $w. A name may be a pattern: systemd reads every file that it matches, and misses one only where
 * there is none. Prints `--env FILE` with the steering variables, `--matched PATTERN`, `--gone NAME`, and by `refused` `--unreadable FILE` with
 * the reason. What a name has beyond printable characters would be taken for lines of ours.
 */
export const ENVIRONMENT = `refused() { echo "--unreadable $1"; printf '%s\\n' "\${b#!refused }"; }
environment() {
  k=; o=$IFS; IFS=
  for g in $1; do
    [ -e "$g" ] || [ -L "$g" ] || continue
    k=x$k; [ \${#k} -le ${ENVIRONMENT_FILES} ] || break
    IFS=$o
    if [ "$g" != "$1" ]; then
      echo "--matched $1"
      case $g in *[![:print:]]*) b="a name that it matches is not plain text"; refused "$1"; continue;; esac
    fi
    b=$(take "$g" "$w" '' part)
    case $b in +*) echo "--env $g";; *) refused "$g"; continue;; esac
    printf '%s\\n' "$b" | sed 1d | grep -nE '^[[:space:]]*(export )?[A-Z_0-9]+=' | while IFS= read -r l; do
      n=\${l#*:}; n=\${n#export }; printf '%s\\n' "\${n%%=*}" | grep -qE '${STEERING}' && printf '%s\\n' "$l"; done
  done
  IFS=$o
  [ -z "$k" ] || return 0
  if [ -d "\${1%/*}" ] && [ -x "\${1%/*}" ] && [ -r "\${1%/*}" ]; then echo "--gone $1"
  elif ! [ -e "\${1%/*}" ] && [ "$(id -u)" = 0 ]; then echo "--gone $1"; fi
}`;
