# What the launcher needs of the system: processes that are really the ones meant, cgroups, whole files, signals as descriptors.
use strict;
use warnings;
use Errno;
use Fcntl qw(:DEFAULT :flock);
use POSIX ();

our (%NR, $tasks, @runner, $agent_gid, $pool_out, $cg, $in_pool);

# --- processes -------------------------------------------------------------------------------------------------------

sub stat_of {
    my $text = slurp("/proc/$_[0]/stat") // return;
    my ($rest) = $text =~ /\) (.*)/s or return;
    my @field = split ' ', $rest;
    return ($field[0], $field[1], $field[19]);    # state, parent, start time
}

sub start_time { return (stat_of($_[0]))[2] // '' }

# [pid, start time, state] of everything below a process, without zombies (their parent or the subreaper collects them).
sub descendants {
    my ($root) = @_;
    my (@found, %children);
    if (defined slurp("/proc/$root/task/$root/children")) {
        %children = ();
    }
    else {
        for my $pid (all_pids()) { my (undef, $parent) = stat_of($pid); push @{ $children{ $parent // 0 } }, $pid }
    }
    my @queue = ($root);
    while (defined(my $at = shift @queue)) {
        my @below = %children ? @{ $children{$at} // [] } : map { split ' ', slurp($_) // '' } glob("/proc/$at/task/*/children");
        for my $pid (@below) {
            my ($state, undef, $start) = stat_of($pid) or next;
            push @queue, $pid;
            push @found, [$pid, $start, $state] if $state ne 'Z' && $state ne 'X';
        }
    }
    return @found;
}

# Without a waiter: the task's cgroup, else whoever carries its id in the environment (misses `env -i`, and says 'sweep').
sub strays {
    my ($id) = @_;
    my @pids = defined $cg && -d "$cg/t-$id" ? cgroup_pids($id) : grep { (slurp("/proc/$_/environ") // '') =~ /(?:\A|\0)VIWORKS_TASK_ID=\Q$id\E(?:\0|\z)/ } all_pids();
    return grep { defined $_->[1] && $_->[2] ne 'Z' } map { my @s = stat_of($_); [$_, $s[2], $s[0]] } @pids;
}

sub all_pids { opendir(my $handle, '/proc') or return; return grep { /^\d+$/ } readdir $handle }

# Signals a process only while it is still the one that was looked at (PID reuse): the descriptor pins it, then its start is compared.
sub kill_exact {
    my ($signal, $pid, $start, $number) = @_;
    my $info = defined $number ? pack('iiiiiiQx96', $signal, 0, SI_QUEUE, 0, $$, $<, $number) : 0;
    my $fd = syscall($NR{pidfd_open}, $pid + 0, 0);
    if ($fd < 0) { return $!{ENOSYS} && start_time($pid) eq $start ? kill($signal, $pid) : 0 }
    my $sent = start_time($pid) eq $start && syscall($NR{pidfd_send_signal}, $fd + 0, $signal + 0, $info, 0) == 0;
    POSIX::close($fd);
    return $sent;
}

# --- cgroup ----------------------------------------------------------------------------------------------------------

# Our own group in the v2 hierarchy when it is ours to divide (Delegate=yes), else undef. The real root never is.
sub own_cgroup {
    my ($mount) = map { (split ' ')[4] } grep { / - cgroup2 / } split /\n/, slurp('/proc/self/mountinfo') // '';
    my ($path) = (slurp('/proc/self/cgroup') // '') =~ /^0::(.*)$/m;
    return unless defined $mount && defined $path;
    $path =~ s{/supervisor$}{};
    my $base = $mount . ($path eq '/' ? '' : $path);
    return unless -e "$base/cgroup.type" && (-d "$base/supervisor" || mkdir "$base/supervisor");
    return put_raw("$base/supervisor/cgroup.procs", $$) ? $base : undef;
}

sub cgroup_pids { my ($id) = @_; return defined $cg ? split ' ', slurp("$cg/t-$id/cgroup.procs") // '' : () }
sub populated { my ($id) = @_; return defined $cg && (slurp("$cg/t-$id/cgroup.events") // '') =~ /^populated 1/m }

# --- plumbing --------------------------------------------------------------------------------------------------------

sub reply {
    my ($conn, @fields) = @_;
    my $text = '';
    while (my ($key, $value) = splice @fields, 0, 2) { $text .= "$key=" . ($value // '') . "\0" }
    my $data = pack('NN', length $text, 0) . $text;
    write_all($conn, $data);
    return;
}

sub write_all {
    my ($handle, $data) = @_;
    while (length $data) { my $wrote = syswrite($handle, $data) // return; substr($data, 0, $wrote, '') }
    return 1;
}

sub read_exact {
    my ($conn, $length) = @_;
    my $data = '';
    while (length $data < $length) { my $got = sysread($conn, $data, $length - length $data, length $data); return unless $got }
    return $data;
}

sub leave_pool { $in_pool = 0; syswrite($pool_out, pack 'L', $$); return }

sub signal_fd {
    my $set = POSIX::SigSet->new(@_);
    POSIX::sigprocmask(POSIX::SIG_SETMASK(), $set);
    my $bits = 0;
    $bits |= 1 << ($_ - 1) for @_;
    my $mask = pack 'Q', $bits;
    my $fd = syscall($NR{signalfd4}, -1, $mask, 8, SFD_FLAGS);
    open(my $handle, '<&=', $fd) or fatal("signalfd: $!");
    return $handle;
}

sub drain_signals {
    my ($handle) = @_;
    return unless sysread($handle, my $info, 1280);
    return map { [unpack 'L x4 l x36 Q', substr($info, $_ * 128, 128)] } 0 .. length($info) / 128 - 1;    # number, code, value
}

sub readable {
    my ($seconds, @handles) = @_;
    my $bits = '';
    vec($bits, fileno($_), 1) = 1 for @handles;
    return select($bits, undef, undef, $seconds) > 0;
}

sub monotonic {
    my $spec = pack 'qq', 0, 0;
    syscall($NR{clock_gettime}, 1, $spec);
    my ($s, $ns) = unpack 'qq', $spec;
    return $s + $ns / 1e9;
}

sub slurp { open(my $handle, '<:raw', $_[0]) or return; local $/; return scalar readline($handle) // '' }
sub fields { my $text = slurp($_[0]) // return; return map { split /=/, $_, 2 } grep { /=/ } split /\n/, $text }
sub record { my %all = @_; return join '', map { "$_=$all{$_}\n" } sort keys %all }

# The record of a task's end, in the words of a reply. Launchers before it wrote no state, and a failed start as `failed`.
sub recorded {
    my %rc = fields("$_[0]/rc") or return;
    $rc{stage} = $rc{failed} if defined $rc{failed};
    $rc{state} //= defined $rc{failed} ? 'start_failed' : 'exited';
    return %rc;
}
sub put_raw { my ($path, $text) = @_; sysopen(my $handle, $path, O_WRONLY) or return; return syswrite($handle, $text) }

# A file that takes only a part of it is full.
sub write_whole { my ($handle, $text) = @_; my $wrote = syswrite($handle, $text) // return; return 1 if $wrote == length $text; $! = &Errno::ENOSPC; return }

sub put_new { my ($path, $text) = @_; sysopen(my $handle, $path, O_WRONLY | O_CREAT | O_EXCL, 0640) or return; return write_whole($handle, $text) }

# Whole or not at all: readers never see half of a record. What is reserved for it is written over, not given back and asked for again.
sub put {
    my ($path, $text) = @_;
    my $reserved = $path =~ m{/rc\z} && -s "$path.tmp";
    sysopen(my $handle, "$path.tmp", O_WRONLY | O_CREAT | ($reserved ? 0 : O_TRUNC), 0640) or return;
    if ($reserved) { $text = sprintf '%-*s', $reserved, $text }
    else { chown -1, $agent_gid, $handle }
    write_whole($handle, $text) && close($handle) or return;
    return rename "$path.tmp", $path;
}

# Why the spool cannot take another task's output, or nothing.
sub room_errno {
    # What a file system keeps back for root is no room for the tasks of somebody else.
    my $figures = "\0" x 256;
    if (@runner && $runner[2] != 0 && syscall($NR{statfs}, $tasks, $figures) == 0) {
        my (undef, $block_bytes, undef, undef, $available) = unpack 'q5', $figures;
        return 'ENOSPC' if $block_bytes * $available < ROOM;
    }
    my $path = "$tasks/.room-$$";
    unlink $path;
    my $errno = put_new($path, ' ' x ROOM) ? '' : errno_name();
    unlink $path;
    return $errno;
}

sub errno_name { my $number = $! + 0; for (keys %!) { return $_ if Errno->can($_) && Errno->can($_)->() == $number } return "E$number" }

1;
