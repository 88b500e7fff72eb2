#!/usr/bin/perl
# The launcher: starts the gateway's tasks outside of the agent's sandbox, each id at most once, and ends whole trees.
# perl-base only. It trusts nobody but root, its own user and the agent's (SO_PEERCRED); protocol: tasks/launcher-protocol.ts.
# Usage: launcher.pl --socket PATH --tasks-dir DIR [--agent-user NAME] [--task-user NAME]
use strict;
use warnings;
use Errno;
use Fcntl qw(:DEFAULT :flock :mode F_GETFD F_SETFD FD_CLOEXEC);
use POSIX ();
use Socket qw(AF_UNIX AF_INET SOCK_STREAM SOCK_DGRAM SOL_SOCKET SO_RCVTIMEO SO_SNDTIMEO SOMAXCONN pack_sockaddr_un);

# Numbers of system calls that perl-base has no names for; both kinds of machine that we ship to.
my $arm = (POSIX::uname())[4] eq 'aarch64';
my %NR = (prctl => $arm ? 167 : 157, statfs => $arm ? 43 : 137, signalfd4 => $arm ? 74 : 289, clock_gettime => $arm ? 113 : 228, renameat2 => $arm ? 276 : 316, memfd_create => $arm ? 279 : 319, pidfd_open => 434, pidfd_send_signal => 424);
use constant { PR_SET_PDEATHSIG => 1, PR_SET_CHILD_SUBREAPER => 36, SO_PEERCRED => 17, SFD_FLAGS => 0x80800 };
use constant { AT_FDCWD => -100, RENAME_NOREPLACE => 1, SI_QUEUE => -1 };
use constant { IDLE_WORKERS => 4, REFILL_S => 0.01, LEFTOVER_S => 1, KILL_S => 5, MAX_HEAD => 8 << 20, MAX_BODY => 2 << 20 };
# Bytes: into the reserve fits every result, thanks to the cap on the pids in it; and what a start may need of a disk, without its stdin.
use constant { RESERVE => 1024, MAX_SURVIVORS => 64, ROOM => 64 << 10 };

my %opt = @ARGV % 2 ? die "usage: launcher.pl --socket PATH --tasks-dir DIR [--agent-user NAME] [--task-user NAME]\n" : @ARGV;
my ($socket_path, $tasks) = ($opt{'--socket'} // die("--socket is missing\n"), $opt{'--tasks-dir'} // die("--tasks-dir is missing\n"));
my @agent = account('agent-user', $opt{'--agent-user'});
my @runner = account('task-user', $opt{'--task-user'});
my $agent_gid = @agent ? $agent[3] : $) + 0;
my $boot = slurp('/proc/sys/kernel/random/boot_id') // '';
chomp $boot;
my $main_pid = $$;
my ($listener, $main_lock, $pool_out, $cg, $cg_kill, $in_pool, @user, @groups, %runner, %ready);

$SIG{PIPE} = 'IGNORE';
main();

sub main {
    my %listen = map { $_ => 1 } inherited_sockets();
    my ($notify, $watchdog_us) = manager();
    POSIX::dup2(POSIX::open('/dev/null', O_RDWR), 0);    # a waiter's descriptor 0 means something: see hold_result
    close_foreign(0, 1, 2, keys %listen, defined $notify ? fileno($notify) : ());
    delete @ENV{grep { /^(LISTEN_|NOTIFY_|VIWORKS_NOTIFY|WATCHDOG_|CREDENTIALS_)/ } keys %ENV};
    umask 027;
    make_dirs($tasks) or fatal("cannot make $tasks: $!");
    chmod 0750, $tasks;
    chown -1, $agent_gid, $tasks;
    sysopen($main_lock, "$tasks/.launcher.lock", O_RDWR | O_CREAT, 0600) or fatal("cannot open $tasks/.launcher.lock: $!");
    flock($main_lock, LOCK_EX | LOCK_NB) or fatal("another launcher serves $tasks");
    clear_ready();
    $cg = own_cgroup();
    $cg_kill = defined $cg && -e "$cg/cgroup.kill";
    listen_on(keys %listen);
    my $signals = signal_fd(POSIX::SIGCHLD(), POSIX::SIGTERM(), POSIX::SIGINT(), POSIX::SIGHUP());
    pipe(my $pool_in, $pool_out) or fatal("pipe: $!");
    my (%idle, $refill_at);
    my $spawn = sub { my $pid = fork() // return; $pid ? ($idle{$pid} = 1) : (close($pool_in), close($signals), worker()) };
    $spawn->() for 1 .. IDLE_WORKERS;
    say_json('info', 'launcher listening', socket => $socket_path, tasksDir => $tasks, cgroup => $cg_kill ? 'kill' : defined $cg ? 'group' : 'none', cgroupPath => $cg // '', taskUser => $opt{'--task-user'} // '');
    syswrite($notify, "READY=1\nSTATUS=starts tasks; cgroup: " . ($cg // 'none, ends trees by sweep')) if $notify;
    my $every = $watchdog_us ? $watchdog_us / 2e6 : 1;    # also how soon a failed fork is tried again
    while (1) {
        my $wait = defined $refill_at ? $refill_at - monotonic() : $every;
        readable($wait > 0 ? $wait : 0, $signals, $pool_in);
        syswrite($notify, 'WATCHDOG=1') if $notify && $watchdog_us;
        last if grep { $_->[0] != POSIX::SIGCHLD() } drain_signals($signals);
        while ((my $pid = waitpid(-1, POSIX::WNOHANG())) > 0) { delete $idle{$pid} }
        if (readable(0, $pool_in) && sysread($pool_in, my $left, 4096)) { delete $idle{$_} for unpack 'L*', $left }
        next if keys %idle == IDLE_WORKERS;
        # Successors are forked a moment later, when the task that was just started no longer needs the processor; at once when nobody is left.
        $refill_at //= monotonic() + REFILL_S;
        next if keys %idle && monotonic() < $refill_at;
        undef $refill_at;
        while (keys %idle < IDLE_WORKERS) { $spawn->() or last }
    }
    syswrite($notify, 'STOPPING=1') if $notify;
    kill 'KILL', keys %idle;    # idle ones only: waiters and their tasks live on
    remove_ready("$tasks/.ready-$_") for keys %idle;
    unlink $socket_path unless %listen;
    say_json('info', 'launcher stopped');
    exit 0;
}

# One idle process of the pool: serves requests until one of them makes it a task's waiter. Forked ahead, so that a start costs one fork.
sub worker {
    syscall($NR{prctl}, PR_SET_PDEATHSIG, POSIX::SIGKILL(), 0, 0, 0);
    POSIX::_exit(0) if getppid() != $main_pid;
    close $main_lock;
    $in_pool = 1;
    $0 = 'viworks-launcher: idle';
    POSIX::sigprocmask(POSIX::SIG_BLOCK(), POSIX::SigSet->new(POSIX::SIGUSR1()));    # as a waiter it may be asked for the end before it can listen
    # All of this while nobody waits for it: setsid and prctl wait for a lock that every fork on the machine takes.
    POSIX::setsid();
    syscall($NR{prctl}, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    look_up_runner();
    make_ready();
    fork_runner() or POSIX::_exit(1);
    while ($in_pool) {
        next unless accept(my $conn, $listener);
        # From here on the main process may die without taking us along: a start is finished or provably never begun.
        syscall($NR{prctl}, PR_SET_PDEATHSIG, 0, 0, 0, 0);
        serve($conn);
        close $conn;
        last if getppid() != $main_pid;
        syscall($NR{prctl}, PR_SET_PDEATHSIG, POSIX::SIGKILL(), 0, 0, 0);
        last if getppid() != $main_pid;
    }
    close $runner{gate};
    waitpid $runner{pid}, 0;
    remove_ready($ready{dir}) if defined $ready{dir};
    POSIX::_exit(0);
}

# A task's folder with its spool and its lock, made ahead: a start then only has to give it its name, which no two starts can do.
sub make_ready {
    my $dir = "$tasks/.ready-$$";
    remove_ready($dir);
    my %made = (dir => $dir);
    # Mode 0440: these descriptors write, but a task that opens /dev/stdout anew is refused instead of truncating its own output.
    # The room for the result is taken before there is a task: its blocks, its inode and, the folder being so small, its name.
    (mkdir($dir, 0750) && put_new("$dir/waiter", "$$ " . start_time($$) . "\n") && put_new("$dir/rc.tmp", ' ' x RESERVE)
        && sysopen($made{out}, "$dir/out", O_WRONLY | O_APPEND | O_CREAT | O_EXCL, 0440) && sysopen($made{err}, "$dir/err", O_WRONLY | O_APPEND | O_CREAT | O_EXCL, 0440)
        && sysopen($made{lock}, "$dir/lock", O_RDWR | O_CREAT, 0600) && flock($made{lock}, LOCK_EX)) or do { %ready = (errno => errno_name()); remove_ready($dir); return };
    chown -1, $agent_gid, $dir, "$dir/rc.tmp", $made{out}, $made{err};
    %ready = %made;
    return;
}

# What could not be made ahead (a full disk) may well be possible now that somebody asks; the runner then has to be a new one.
sub ready_again {
    make_ready();
    return unless defined $ready{dir};
    close $runner{gate};
    waitpid $runner{pid}, 0;
    fork_runner() and return;
    my $errno = errno_name();
    remove_ready($ready{dir});
    %ready = (errno => $errno);
    return;
}

# The start-once guard: true for one caller only, ever, until the name is forgotten.
sub give_name {
    my ($from, $to) = @_;
    return 1 if syscall($NR{renameat2}, AT_FDCWD, $from, AT_FDCWD, $to, RENAME_NOREPLACE) == 0;
    return unless $!{EINVAL} || $!{ENOSYS};
    # A file system without that flag: mkdir is the guard, and a plain rename replaces nothing but the empty folder just made.
    return mkdir($to, 0750) && (rename($from, $to) || ($!{ENOTEMPTY} ? do { $! = &Errno::EEXIST; 0 } : 0));
}

# What a killed launcher left; one that is locked belongs to a worker that is giving it its name right now.
sub clear_ready {
    opendir(my $handle, $tasks) or return;
    my @names = readdir $handle;
    unlink map { "$tasks/$_" } grep { /^\.room-\d+$/ } @names;
    for my $name (grep { /^\.ready-\d+$/ } @names) {
        my $lock;
        next if sysopen($lock, "$tasks/$name/lock", O_RDWR) && !flock($lock, LOCK_EX | LOCK_NB);
        remove_ready("$tasks/$name");
    }
}

sub remove_ready { my ($dir) = @_; unlink map { "$dir/$_" } qw(waiter rc.tmp out err lock); rmdir $dir; return }

# The process that becomes the task: it waits for its instruction, so that a start forks nothing while somebody waits for it.
sub fork_runner {
    pipe(my $gate_in, my $gate_out) && pipe(my $report_in, my $report_out) or return;
    my $pid = fork() // return;
    if ($pid == 0) {
        close $_ for $gate_out, $report_in, $listener, $pool_out, $ready{lock} // ();
        run_child($gate_in, $report_out);
    }
    close $_ for $gate_in, $report_out, grep { defined } @ready{qw(out err)};
    %runner = (pid => $pid, gate => $gate_out, report => $report_in);
    return 1;
}

sub look_up_runner {
    @user = @runner ? getpwnam($runner[0]) : getpwuid($>);
    return unless @runner && $> == 0;
    my %groups = ($user[3] => 1);
    while (my @group = getgrent()) { $groups{ $group[2] } = 1 if grep { $_ eq $user[0] } split / /, $group[3] }
    endgrent();
    @groups = keys %groups;
}

sub serve {
    my ($conn) = @_;
    setsockopt($conn, SOL_SOCKET, $_, pack('l!l!', 5, 0)) for SO_RCVTIMEO, SO_SNDTIMEO;
    my $uid = (unpack 'i3', getsockopt($conn, SOL_SOCKET, SO_PEERCRED))[1];
    return reply($conn, state => 'refused', message => "uid $uid may not use this launcher") unless $uid == 0 || $uid == $> || (@agent && $uid == $agent[2]);
    my ($head_length, $body_length) = unpack 'NN', read_exact($conn, 8) // return;
    return if $head_length > MAX_HEAD || $body_length > MAX_BODY;
    my $head = read_exact($conn, $head_length) // return;
    my $body = read_exact($conn, $body_length) // return;
    my ($fields) = parse_head($head);
    my %one = %$fields;
    my $op = $one{op} // '';
    my $id = $one{task} // '';
    return reply($conn, state => 'ok', cgroup => $cg_kill ? 'kill' : defined $cg ? 'group' : 'none', subreaper => 1, boot => $boot, tasks_dir => $tasks, spool => room_errno()) if $op eq 'ping';
    return reply($conn, list_tasks()) if $op eq 'status' && $id eq '';
    return reply($conn, state => 'refused', message => 'not a task id') unless $id =~ /\A[a-z0-9][a-z0-9-]{7,63}\z/;
    return start_task($conn, \%one, $head, $body) if $op eq 'start';
    return reply($conn, evidence($id)) if $op eq 'status';
    return reply($conn, seal($id)) if $op eq 'seal';
    return end_task($conn, \%one) if $op eq 'end';
    return reply($conn, pause_task($id, $op eq 'pause')) if $op eq 'pause' || $op eq 'resume';
    return reply($conn, forget_task($id)) if $op eq 'forget';
    reply($conn, state => 'refused', message => "unknown operation");
}

sub parse_head {
    my (%one, %many);
    for (split /\0/, $_[0]) { my ($key, $value) = split /=/, $_, 2; $one{$key} = $value; push @{ $many{$key} }, $value }
    return (\%one, \%many);
}

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
    my $fail = sub { my ($stage, $errno) = @_; put("$dir/rc", "failed=$stage\nerrno=$errno\n"); rmdir "$cg/t-$id" if defined $cg; reply($conn, state => 'start_failed', stage => $stage, errno => $errno) };
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
    my %rc = (%end, reason => $reason, code => $status < 0 || $status & 127 ? '' : $status >> 8, signal => $status < 0 ? '' : $status & 127 || '', oom => $oom,
        duration_ms => int(1000 * ($finished - $t->{began})), out => -s "$t->{dir}/out", err => -s "$t->{dir}/err");
    my $text = join '', map { "$_=$rc{$_}\n" } sort keys %rc;
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
    my %rc = (%end, reason => $one->{reason} // 'cancelled', code => '', signal => '', lost => 1, oom => 0, duration_ms => 0, out => -s "$dir/out", err => -s "$dir/err");
    put("$dir/rc", join '', map { "$_=$rc{$_}\n" } sort keys %rc);
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
    if (my %rc = fields("$dir/rc")) { return (%known, %rc, state => defined $rc{failed} ? 'start_failed' : 'exited', defined $rc{failed} ? (stage => $rc{failed}) : ()) }
    if (!$lock && sysopen($lock, "$dir/lock", O_RDONLY) && !flock($lock, LOCK_SH | LOCK_NB)) {
        return (%known, state => 'starting') unless defined $known{pid};
        if (my %rc = held_result($dir)) { return (%known, %rc, state => 'exited') }
        my $uptime = (split ' ', slurp('/proc/uptime'))[0];
        my $elapsed = int(1000 * ($uptime - $known{start} / POSIX::sysconf(POSIX::_SC_CLK_TCK())));
        return (%known, state => 'running', elapsed_ms => $elapsed < 0 ? 0 : $elapsed);
    }
    if (my %rc = fields("$dir/rc")) { return (%known, %rc, state => 'exited') }
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

sub account {
    my ($what, $name) = @_;
    return unless defined $name && $name ne '';
    my @entry = getpwnam($name);
    fatal("$what: there is no user $name") unless @entry;
    return @entry;
}

sub make_dirs { my ($path) = @_; return 1 if -d $path; make_dirs($1) or return if $path =~ m{^(.+)/[^/]+$}; return mkdir($path, 0755) || -d $path }

sub listen_on {
    if (@_) { open($listener, '+<&=', $_[0]) or fatal("inherited socket: $!"); fcntl($listener, F_SETFD, FD_CLOEXEC); return }
    my ($parent) = $socket_path =~ m{^(.*)/};
    make_dirs($parent) or fatal("cannot make $parent: $!");
    unlink $socket_path;    # the lock on the tasks directory says that nobody serves it
    my $mask = umask 0177;
    socket($listener, AF_UNIX, SOCK_STREAM, 0) && bind($listener, pack_sockaddr_un($socket_path)) && listen($listener, SOMAXCONN) or fatal("cannot listen on $socket_path: $!");
    umask $mask;
    chown -1, $agent_gid, $socket_path;
    chmod 0660, $socket_path;
}

sub inherited_sockets { return ($ENV{LISTEN_PID} // '') eq $$ && ($ENV{LISTEN_FDS} // 0) > 0 ? (3) : () }

sub manager {
    my $usec = $ENV{WATCHDOG_USEC};
    my $handle;
    if (defined $ENV{VIWORKS_NOTIFY_FD} && open($handle, '>&=', $ENV{VIWORKS_NOTIFY_FD})) { fcntl($handle, F_SETFD, FD_CLOEXEC); return ($handle, $usec) }
    defined(my $path = $ENV{NOTIFY_SOCKET}) or return;
    $path =~ s/^@/\0/;
    socket($handle, AF_UNIX, SOCK_DGRAM, 0) && connect($handle, pack_sockaddr_un($path)) or return;
    return ($handle, $usec);
}

sub close_foreign {
    my %keep = map { $_ => 1 } @_;
    opendir(my $handle, '/proc/self/fd') or return;
    my @open = grep { /^\d+$/ && !$keep{$_} } readdir $handle;
    closedir $handle;
    POSIX::close($_) for @open;
}

sub say_json {
    my ($level, $message, @fields) = @_;
    my @all = (level => $level, time => POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime), program => 'launcher', @fields, msg => $message);
    my @pairs;
    while (my ($key, $value) = splice @all, 0, 2) { $value =~ s/(["\\])/\\$1/g; $value =~ s/([\x00-\x1f])/sprintf '\\u%04x', ord $1/ge; push @pairs, "\"$key\":\"$value\"" }
    syswrite(STDOUT, '{' . join(',', @pairs) . "}\n");
}

sub fatal { my ($message) = @_; print STDERR "launcher: $message\n"; exit 64 }
