# A task's life: started, waited for, ended with all of its tree; and what can be said of it, from its folder and its lock alone.
use strict;
use warnings;
use Errno;
use Fcntl qw(:DEFAULT :flock);
use POSIX ();

our (%NR, $tasks, @runner, $agent_gid, $boot, $listener, $pool_out, $cg, $cg_kill, $in_pool, @user, @groups, %runner, %ready);

sub start_task {
    my ($conn, $one, $head, $stdin) = @_;
    my $id = $one->{task};
    my $dir = "$tasks/$id";
    $in_pool = 0;
    ready_again() unless defined $ready{dir};
    return reply($conn, state => 'start_failed', stage => 'spool', errno => $ready{errno}) unless defined $ready{dir};
    if (!give_name($ready{dir}, $dir)) {
        return reply($conn, again => 1, settled_evidence($id)) if $!{EEXIST};
        return reply($conn, state => 'start_failed', stage => 'spool', errno => errno_name());
    }
    my $lock = $ready{lock};    # held until this process ends
    delete $ready{dir};
    $0 = "viworks-task: waits for $id";
    my $signals = signal_fd(POSIX::SIGCHLD(), POSIX::SIGUSR1());
    my $fail = sub { my ($stage, $errno) = @_; my @said = (state => 'start_failed', stage => $stage, errno => $errno); put("$dir/rc", record(@said)); rmdir "$cg/t-$id" if defined $cg; reply($conn, @said) };
    $stdin eq '' || put_new("$dir/in", $stdin) or return $fail->('spool', errno_name());
    if (defined $cg && !mkdir("$cg/t-$id") && !$!{EEXIST}) { return $fail->('cgroup', errno_name()) }
    my $pid = $runner{pid};
    my $leader_start = start_time($pid);
    # The child runs nothing before this record exists: a waiter that dies earlier has provably started nothing.
    put_new("$dir/pid", "pid=$pid\nstart=$leader_start\nboot=$boot\ncgroup=" . (defined $cg ? "$cg/t-$id" : '') . "\n") or return $fail->('spool', errno_name());
    my $began = monotonic();
    # Half an instruction starts nothing either: the child acts when it has all of it.
    my $told = write_all($runner{gate}, pack('N', length $head) . $head);
    close $runner{gate};
    my $report = $told ? '' : 'fork ECHILD';
    while ($told && sysread($runner{report}, my $part, 256)) { $report .= $part }
    if ($report =~ /^(\w+) (\w+)/) { waitpid($pid, 0); return $fail->($1, $2) }
    reply($conn, state => 'running', pid => $pid, start => $leader_start, elapsed_ms => 0);
    leave_pool();    # only now: the forks of a successor would have taken time from this start
    close $_ for $conn, $listener, $pool_out, $runner{report};
    POSIX::dup2(POSIX::open('/dev/null', O_RDWR), $_) for 0, 1, 2;
    my %task = (id => $id, dir => $dir, leader => $pid, signals => $signals, began => $began, timeout => $one->{timeout_ms}, grace => $one->{grace_ms});
    wait_for(\%task);
    POSIX::_exit(0);
}

# Between fork and exec. Everything here must end in exec or in a report with the errno.
sub run_child {
    my ($gate, $report) = @_;
    my $give_up = sub { syswrite($report, "$_[0] " . errno_name()); POSIX::_exit(127) };
    POSIX::setsid();
    my $length = unpack 'N', read_exact($gate, 4) // POSIX::_exit(126);
    my ($one, $many) = parse_head(read_exact($gate, $length) // POSIX::_exit(126));
    my $id = $one->{task};
    my $dir = "$tasks/$id";
    if (defined $cg) { put_raw("$cg/t-$id/cgroup.procs", $$) or $give_up->('cgroup') }    # before exec: what forks earlier would escape
    sysopen(my $in, -e "$dir/in" ? "$dir/in" : '/dev/null', O_RDONLY) or $give_up->('spool');
    if (@runner && $> == 0) {
        do { $! = &Errno::EPERM; $give_up->('user') } unless @user;
        $! = 0;
        $) = join ' ', $user[3], @groups;
        $give_up->('user') if $!;
        POSIX::setgid($user[3]) // $give_up->('user');
        POSIX::setuid($user[2]) // $give_up->('user');
        do { $! = &Errno::EPERM; $give_up->('user') } if $> != $user[2] || $< != $user[2];
    }
    my $home = $user[7] && -d $user[7] ? $user[7] : '/';
    my $name = $user[0] // $>;
    my %env = (
        PATH => '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME => $home, USER => $name, LOGNAME => $name,
        SHELL => '/bin/sh', LANG => 'C.UTF-8', (map { split /=/, $_, 2 } @{ $many->{env} // [] }), VIWORKS_TASK_ID => $id,
    );
    delete @env{grep { /^(LISTEN_(PID|FDS|FDNAMES)|NOTIFY_SOCKET|VIWORKS_NOTIFY_FD)$/ } keys %env};
    (defined $one->{cwd} ? chdir $one->{cwd} : chdir $home || chdir '/') or $give_up->('cwd');
    POSIX::dup2(fileno($in), 0) // $give_up->('fds');
    POSIX::dup2(fileno($ready{out}), 1) // $give_up->('fds');
    POSIX::dup2(fileno($ready{err}), 2) // $give_up->('fds');
    umask 022;
    %ENV = %env;
    $SIG{$_} = 'DEFAULT' for qw(HUP INT QUIT PIPE TERM USR1 USR2 CHLD ALRM TSTP TTIN TTOU);
    POSIX::sigprocmask(POSIX::SIG_SETMASK(), POSIX::SigSet->new());
    my @argv = @{ $many->{argv} // [''] };
    no warnings 'exec';
    exec { $argv[0] } @argv or $give_up->('exec');
}

# The rest of a waiter's life: reaps, keeps the deadlines, ends the tree, writes the result. It is the only one that signals its tree.
sub wait_for {
    my ($t) = @_;
    my $deadline = $t->{timeout} ? $t->{began} + $t->{timeout} / 1000 : undef;
    my ($reason, $kill_at, $leftovers_at, $finished, $killed) = ('exited');
    my %end = (leftovers => 0, killmode => 'none', escalated => 0, survivors => '');
    my $end_by = sub {
        my ($why, $grace) = @_;
        my $at = monotonic() + $grace / 1000;
        if (defined $t->{status}) { $leftovers_at = monotonic() }    # it ended by itself: that stays the truth, the rest is hurried
        elsif (!defined $kill_at) { ($reason, $kill_at) = ($why, $at); polite($t) }
        elsif ($at < $kill_at) { $kill_at = $at }
    };
    my $read_end = sub { my @asked = split / /, slurp("$t->{dir}/end") // ''; $end_by->(@asked) if @asked; return @asked };
    $read_end->();    # it may have been asked for before the signal could reach us
    while (1) {
        my $none = reap($t);
        my $now = monotonic();
        if (defined $t->{status}) {
            $finished //= $now;
            last if $none && !populated($t->{id});
            $leftovers_at //= $now + LEFTOVER_S;
        }
        if (defined $deadline && $now >= $deadline && !defined $kill_at && !defined $t->{status}) {
            ($reason, $kill_at) = ('timed_out', $now + ($t->{grace} // 0) / 1000);
            polite($t);
            next;
        }
        if ((defined $kill_at && $now >= $kill_at) || (defined $leftovers_at && $now >= $leftovers_at)) {
            $end{escalated} = 1 if defined $kill_at && !defined $t->{status};
            my $count = kill_tree($t, \%end);
            $end{leftovers} = $count if defined $t->{status} && defined $finished;
            $finished //= monotonic();
            last;
        }
        my @next = sort { $a <=> $b } grep { defined } $kill_at, $leftovers_at, (defined $kill_at || defined $t->{status} ? () : $deadline);
        my $wait = @next ? $next[0] - $now : undef;
        # A cgroup that empties tells nobody here: look again soon, but only in the second after the leader's end.
        $wait = 0.01 if defined $leftovers_at && (!defined $wait || $wait > 0.01);
        readable($wait, $t->{signals});
        for (grep { $_->[0] == POSIX::SIGUSR1() } drain_signals($t->{signals})) {
            my (undef, $code, $value) = @$_;
            if ($code == SI_QUEUE) { $end_by->($value & 1 ? 'timed_out' : 'cancelled', $value >> 1) }
            $read_end->() || $code == SI_QUEUE || $end_by->('cancelled', $t->{grace} // 0);    # a bare signal is a plain wish
        }
    }
    my $status = $t->{status} // -1;
    my $oom = ($cg // '') ne '' && (slurp("$cg/t-$t->{id}/memory.events") // '') =~ /^oom_kill ([1-9])/m ? 1 : 0;
    my %rc = (%end, state => 'exited', reason => $reason, code => $status < 0 || $status & 127 ? '' : $status >> 8, signal => $status < 0 ? '' : $status & 127 || '', oom => $oom,
        duration_ms => int(1000 * ($finished - $t->{began})), out => -s "$t->{dir}/out", err => -s "$t->{dir}/err");
    my $text = record(%rc);
    put("$t->{dir}/rc", $text) or hold_result($t, $text);
    rmdir "$cg/t-$t->{id}" if defined $cg;
}

# A disk that does not even take what was reserved (an I/O error, read-only all of a sudden) must not lose the result. It is
# held in memory, where evidence() finds it as this process's descriptor 0, until it can be written or nobody wants it any more.
sub hold_result {
    my ($t, $text) = @_;
    my $name = 'viworks-rc';
    $text .= 'unwritten=' . errno_name() . "\n";
    $0 = "viworks-task: cannot write the result of $t->{id}";
    my $memory = syscall($NR{memfd_create}, $name, 0);
    if ($memory >= 0) { POSIX::write($memory, $text, length $text); POSIX::dup2($memory, 0); POSIX::close($memory) }
    $text =~ s/unwritten=.*\n//;
    select(undef, undef, undef, 1) until put("$t->{dir}/rc", $text) || $!{ENOENT};
}

sub polite {
    my ($t) = @_;
    kill 'TERM', -$t->{leader};    # not reaped yet, so the number is still ours
    thaw($t->{id}, $$);            # after it: a held task sees TERM when it goes on
}

# Kills until nothing is left; at most KILL_S seconds. Gives how many it found alive at first.
sub kill_tree {
    my ($t, $end, $root) = @_;
    my $until = monotonic() + KILL_S;
    my $found;
    while (1) {
        my @alive = $root ? strays($t->{id}) : descendants($$);
        if (!defined $found) { my @inside = cgroup_pids($t->{id}); $found = @inside > @alive ? @inside : @alive }
        $end->{killmode} = $cg_kill && put_raw("$cg/t-$t->{id}/cgroup.kill", 1) ? 'cgroup' : 'sweep';
        kill_exact(POSIX::SIGKILL(), @$_) for @alive;
        my $none = reap($t);
        last if ($none || $root) && !populated($t->{id}) && !($root && @alive);
        if (monotonic() > $until) { $end->{survivors} = join ',', map { $_->[0] } splice @alive, 0, MAX_SURVIVORS; last }
        readable(0.005, $t->{signals}) if $t->{signals};
        drain_signals($t->{signals}) if $t->{signals};
        select(undef, undef, undef, 0.005) unless $t->{signals};
    }
    thaw($t->{id}, $$);
    return $found;
}

# Collects the dead; true when this process has no child left (as subreaper: no descendant of the task at all).
sub reap {
    my ($t) = @_;
    while (1) {
        my $pid = waitpid(-1, POSIX::WNOHANG());
        return $pid == -1 if $pid <= 0;
        $t->{status} = $? if $pid == ($t->{leader} // 0);
    }
}

sub end_task {
    my ($conn, $one) = @_;
    my ($id, $dir) = ($one->{task}, "$tasks/$one->{task}");
    my %seen = evidence($id);
    if ($seen{state} eq 'running' || $seen{state} eq 'starting') {
        my ($why, $grace) = ($one->{reason} // 'cancelled', $one->{grace_ms} // 0);
        my ($pid, $start) = split ' ', slurp("$dir/waiter") // '';
        # Said twice: two signals at once become one, but the file has the last; and the signal's own number arrives on a full disk too.
        my $put = put("$dir/end", "$why $grace");
        my $errno = errno_name();
        my $sent = $pid && kill_exact(POSIX::SIGUSR1(), $pid, $start, $grace * 2 + ($why eq 'timed_out'));
        return reply($conn, $put || $sent ? (state => 'ending') : (state => 'refused', message => "cannot write $dir/end: $errno"));
    }
    return reply($conn, %seen) if $seen{state} ne 'orphaned';
    # The waiter is gone: this process takes its place, without the leader's exit code.
    leave_pool();
    my $lock;
    sysopen($lock, "$dir/lock", O_RDONLY) && flock($lock, LOCK_EX | LOCK_NB) or return reply($conn, evidence($id));
    reply($conn, state => 'ending');
    close $_ for $conn, $listener, $pool_out;
    my %end = (leftovers => 0, killmode => 'none', escalated => 0, survivors => '');
    my $until = monotonic() + ($one->{grace_ms} // 0) / 1000;
    kill_exact(POSIX::SIGTERM(), @$_) for strays($id);
    thaw($id, 0);
    select(undef, undef, undef, 0.02) while strays($id) && monotonic() < $until;
    $end{escalated} = 1 if strays($id);
    kill_tree({ id => $id }, \%end, 1);
    my %rc = (%end, state => 'exited', reason => $one->{reason} // 'cancelled', code => '', signal => '', lost => 1, oom => 0, duration_ms => 0, out => -s "$dir/out", err => -s "$dir/err");
    put("$dir/rc", record(%rc));
    rmdir "$cg/t-$id" if defined $cg;
    POSIX::_exit(0);
}

# What can be said about a task, and nothing more. The order matters: rc may appear between two looks. Nothing here writes: the
# disk may have become read-only.
sub evidence {
    my ($id, $lock) = @_;
    my $dir = "$tasks/$id";
    return (task => $id, state => 'unknown') unless -d $dir;
    my %known = (task => $id, fields("$dir/pid"));
    delete $known{cgroup};
    if (my %rc = recorded($dir)) { return (%known, %rc) }
    if (!$lock && sysopen($lock, "$dir/lock", O_RDONLY) && !flock($lock, LOCK_SH | LOCK_NB)) {
        return (%known, state => 'starting') unless defined $known{pid};
        if (my %rc = held_result($dir)) { return (%known, %rc, state => 'exited') }
        my $uptime = (split ' ', slurp('/proc/uptime'))[0];
        my $elapsed = int(1000 * ($uptime - $known{start} / POSIX::sysconf(POSIX::_SC_CLK_TCK())));
        return (%known, state => 'running', elapsed_ms => $elapsed < 0 ? 0 : $elapsed);
    }
    if (my %rc = recorded($dir)) { return (%known, %rc) }
    return (%known, state => 'not_started') unless defined $known{pid};
    return (%known, state => 'indeterminate', message => 'the host was restarted') if $known{boot} ne $boot;
    return (%known, state => 'orphaned') if strays($id);
    return (%known, state => 'indeterminate', message => 'the waiting process was killed and the task has ended', out => -s "$dir/out", err => -s "$dir/err");
}

sub held_result {
    my ($pid, $start) = split ' ', slurp("$_[0]/waiter") // '';
    return defined $start && start_time($pid) eq $start ? fields("/proc/$pid/fd/0") : ();
}

# The same, but not in the middle of somebody else's start, which takes milliseconds.
sub settled_evidence {
    my ($id) = @_;
    my %seen;
    for (1 .. 400) {
        %seen = evidence($id);
        last unless $seen{state} eq 'starting' || ($seen{state} eq 'not_started' && !-e "$tasks/$id/void");
        select(undef, undef, undef, 0.005);
    }
    return %seen;
}

# Makes sure that an id which has not started never will: a late start request finds the directory or the mark.
sub seal {
    my ($id) = @_;
    my $dir = "$tasks/$id";
    if (mkdir $dir, 0750) { chown -1, $agent_gid, $dir }
    elsif (!$!{EEXIST}) { return (task => $id, state => 'refused', message => "cannot make $dir: $!") }
    my $lock;
    sysopen($lock, "$dir/lock", O_RDWR | O_CREAT, 0600) || sysopen($lock, "$dir/lock", O_RDONLY) or return (task => $id, state => 'refused', message => "cannot open $dir/lock: $!");
    for (1 .. 10) {
        if (flock($lock, LOCK_EX | LOCK_NB)) {
            my %seen = evidence($id, $lock);
            put("$dir/void", '') if $seen{state} eq 'not_started';
            return %seen;
        }
        my %seen = settled_evidence($id);
        return %seen if $seen{state} ne 'not_started';    # else somebody only looked: their lock is shared and short
    }
    return (task => $id, state => 'refused', message => "cannot lock $dir/lock");
}

sub forget_task {
    my ($id) = @_;
    my $dir = "$tasks/$id";
    my %seen = evidence($id);
    return %seen if $seen{state} =~ /^(unknown|running|starting|orphaned)$/;
    rmdir "$cg/t-$id" if defined $cg;
    # The name goes first, so that a half-removed directory is never mistaken for evidence.
    my $gone = "$tasks/.gone-$id-$$";
    # On a full disk even a name may need room first: the output's, whose sizes are in the record.
    rename $dir, $gone or unlink("$dir/out", "$dir/err") && rename $dir, $gone or return (task => $id, state => 'refused', message => "cannot rename $dir: $!");
    unlink map { "$gone/$_" } qw(lock void waiter pid rc rc.tmp end end.tmp held in out err);
    rmdir $gone;
    return (task => $id, state => 'forgotten');
}

# Holds a task that outruns its link, or lets it go on. Without cgroups: SIGSTOP, which the task's own parents can see.
sub pause_task {
    my ($id, $hold) = @_;
    my %seen = evidence($id);
    return %seen if $seen{state} ne 'running';
    return (task => $id, state => $hold ? 'paused' : 'running') if defined $cg && -e "$cg/t-$id/cgroup.freeze" && put_raw("$cg/t-$id/cgroup.freeze", $hold ? 1 : 0);
    my ($waiter, $start) = split ' ', slurp("$tasks/$id/waiter") // '';
    return (task => $id, state => 'refused', message => 'its waiter is not known') unless $waiter && start_time($waiter) eq $start;
    if ($hold) { put("$tasks/$id/held", '') or return (task => $id, state => 'refused', message => "cannot write $tasks/$id/held: $!") }
    else { unlink "$tasks/$id/held" }
    kill_exact($hold ? POSIX::SIGSTOP() : POSIX::SIGCONT(), @$_) for descendants($waiter);
    return (task => $id, state => $hold ? 'paused' : 'running');
}

sub thaw {
    my ($id, $root) = @_;
    return if defined $cg && -e "$cg/t-$id/cgroup.freeze" && put_raw("$cg/t-$id/cgroup.freeze", 0);
    # All of them, whatever their state looks like: a stop may still be on its way, and CONT takes it back.
    return unless -e "$tasks/$id/held";
    unlink "$tasks/$id/held";
    kill_exact(POSIX::SIGCONT(), @$_) for $root ? descendants($root) : strays($id);
}

sub list_tasks {
    opendir(my $handle, $tasks) or return (state => 'refused', message => "cannot read $tasks: $!");
    return map { my %seen = evidence($_); delete $seen{task}; (task => $_, %seen) } sort grep { /\A[a-z0-9][a-z0-9-]{7,63}\z/ } readdir $handle;
}

1;
