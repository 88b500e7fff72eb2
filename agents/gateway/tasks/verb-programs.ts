// The small programs behind the built-in verbs. They run on the managed host as the task user and need nothing but what stands beside each.

/**
 * POSIX sh and coreutils. $1 random bytes on stdout, their SHA-256 in hex on stderr. The file is gone from its folder before it
 * is filled, so nothing stays behind however this ends.
 */
export const CANARY_SCRIPT = `
set -e
file=$(mktemp)
exec 3<>"$file"
rm -f "$file"
head -c "$1" /dev/urandom >&3
sum=$(sha256sum /proc/self/fd/3)
cat /proc/self/fd/3
printf '%s\\n' "\${sum%% *}" >&2
`;

/** perl-base. One JSON object about the host; fractions are 0 to 1, sizes bytes. */
export const HEALTH_PROGRAM = String.raw`
use strict; use warnings; use POSIX ();
sub slurp { open(my $h, '<', $_[0]) or return ''; local $/; return scalar(<$h>) // '' }
sub cpu { my @f = split ' ', (split /\n/, slurp('/proc/stat'))[0]; shift @f; my $all = 0; $all += $_ for @f[0 .. 7]; return ($all, $f[3] + $f[4]) }
my ($all1, $idle1) = cpu(); select undef, undef, undef, 0.2; my ($all2, $idle2) = cpu();
my $busy = $all2 > $all1 ? 1 - ($idle2 - $idle1) / ($all2 - $all1) : 0;
my %m = slurp('/proc/meminfo') =~ /^(\w+):\s+(\d+)/mg;
my @load = split ' ', slurp('/proc/loadavg');
my ($up) = split ' ', slurp('/proc/uptime');
my $cores = () = slurp('/proc/cpuinfo') =~ /^processor\b/mg;
my @disk = split ' ', (grep { !/^Filesystem/ } split /\n/, scalar qx(LC_ALL=C df -Pk / 2>/dev/null))[0] // '';
my ($name) = slurp('/proc/sys/kernel/hostname') =~ /^([\w.-]*)/;
my ($kernel) = slurp('/proc/sys/kernel/osrelease') =~ /^(\S*)/;
printf '{"hostname":"%s","kernel":"%s","uptimeSeconds":%d,"cores":%d,"cpu":%.4f,"load":[%s],"memory":{"totalBytes":%d,"availableBytes":%d},"swap":{"totalBytes":%d,"freeBytes":%d},"rootDisk":{"totalBytes":%d,"availableBytes":%d}}' . "\n",
  $name, $kernel, $up || 0, $cores, $busy, join(',', map { $_ || 0 } @load[0 .. 2]), map({ 1024 * ($_ || 0) } $m{MemTotal}, $m{MemAvailable}, $m{SwapTotal}, $m{SwapFree}, $disk[1], $disk[3]);
`;

/** perl-base and systemctl. JSON about the units named, or about our own and every failed one. */
export const SERVICES_PROGRAM = String.raw`
use strict; use warnings;
my @units = @ARGV;
sub ask { open(my $h, '-|', 'systemctl', @_) or return; my @l = <$h>; close $h; chomp @l; return @l }
sub quoted { my $t = $_[0] // ''; $t =~ s/(["\\])/\\$1/g; $t =~ s/([\x00-\x1f])/sprintf '\\u%04x', ord $1/ge; return "\"$t\"" }
unless (grep { -x "$_/systemctl" } qw(/usr/bin /bin)) { print STDERR "systemctl is not on this host\n"; exit 69 }
if (!@units) {
  my %seen;
  @units = grep { /^[A-Za-z0-9]/ && !$seen{$_}++ } map { (split ' ', $_)[0] // '' } ask('list-units', '--all', '--plain', '--no-legend', 'viworks-*'), ask('list-units', '--failed', '--plain', '--no-legend');
}
my @keys = qw(Id LoadState ActiveState SubState Result NRestarts MainPID ActiveEnterTimestamp);
my @out;
for my $unit (@units) {
  my %p = map { split /=/, $_, 2 } grep { /=/ } ask('show', '--property=' . join(',', @keys), '--', $unit);
  push @out, sprintf '{"unit":%s,"load":%s,"active":%s,"sub":%s,"result":%s,"restarts":%d,"mainPid":%d,"since":%s}', quoted($unit), map({ quoted($p{$_}) } qw(LoadState ActiveState SubState Result)), $p{NRestarts} || 0, $p{MainPID} || 0, quoted($p{ActiveEnterTimestamp});
}
print '{"services":[', join(',', @out), "]}\n";
`;
