#!/usr/bin/perl
# The launcher: starts the gateway's tasks outside of the agent's sandbox, each id at most once, and ends whole trees.
# perl-base only. It trusts nobody but root, its own user and the agent's (SO_PEERCRED); protocol: tasks/launcher-protocol.ts.
# This file: the pool of processes that are ready for the next task, and who is served. launcher-tasks.pl: a task's life and what can be said
# of it. launcher-os.pl: processes, cgroups, files.
# Usage: launcher.pl --socket PATH --tasks-dir DIR [--agent-user NAME] [--task-user NAME]
use strict;
use warnings;
use Errno;
use Fcntl qw(:DEFAULT :flock :mode F_GETFD F_SETFD FD_CLOEXEC);
use POSIX ();
use Socket qw(AF_UNIX AF_INET SOCK_STREAM SOCK_DGRAM SOL_SOCKET SO_RCVTIMEO SO_SNDTIMEO SOMAXCONN pack_sockaddr_un);

# Numbers of system calls that perl-base has no names for; both kinds of machine that we ship to.
my $arm = (POSIX::uname())[4] eq 'aarch64';
our %NR = (prctl => $arm ? 167 : 157, statfs => $arm ? 43 : 137, signalfd4 => $arm ? 74 : 289, clock_gettime => $arm ? 113 : 228, renameat2 => $arm ? 276 : 316, memfd_create => $arm ? 279 : 319, pidfd_open => 434, pidfd_send_signal => 424);
use constant { PR_SET_PDEATHSIG => 1, PR_SET_CHILD_SUBREAPER => 36, SO_PEERCRED => 17, SFD_FLAGS => 0x80800 };
use constant { AT_FDCWD => -100, RENAME_NOREPLACE => 1, SI_QUEUE => -1 };
use constant { IDLE_WORKERS => 4, REFILL_S => 0.01, LEFTOVER_S => 1, KILL_S => 5, MAX_HEAD => 8 << 20, MAX_BODY => 2 << 20 };
# Bytes: into the reserve fits every result, thanks to the cap on the pids in it; and what a start may need of a disk, without its stdin.
use constant { RESERVE => 1024, MAX_SURVIVORS => 64, ROOM => 64 << 10 };

my ($here) = __FILE__ =~ m{^(.*/)};
require(($here // './') . $_) for qw(launcher-os.pl launcher-tasks.pl);

my %opt = @ARGV % 2 ? die "usage: launcher.pl --socket PATH --tasks-dir DIR [--agent-user NAME] [--task-user NAME]\n" : @ARGV;
our ($socket_path, $tasks) = ($opt{'--socket'} // die("--socket is missing\n"), $opt{'--tasks-dir'} // die("--tasks-dir is missing\n"));
our @agent = account('agent-user', $opt{'--agent-user'});
our @runner = account('task-user', $opt{'--task-user'});
our $agent_gid = @agent ? $agent[3] : $) + 0;
our $boot = slurp('/proc/sys/kernel/random/boot_id') // '';
chomp $boot;
our $main_pid = $$;
our ($listener, $main_lock, $pool_out, $cg, $cg_kill, $in_pool, @user, @groups, %runner, %ready);

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
    say_json('info', [LA_LISTENING => 'launcher listening'], socket => $socket_path, tasksDir => $tasks, cgroup => $cg_kill ? 'kill' : defined $cg ? 'group' : 'none', cgroupPath => $cg // '', taskUser => $opt{'--task-user'} // '');
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
    say_json('info', [LA_STOPPED => 'launcher stopped']);
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
    my @all = (level => $level, time => POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime), program => 'launcher', event => $message->[0], @fields, msg => $message->[1]);
    my @pairs;
    while (my ($key, $value) = splice @all, 0, 2) { $value =~ s/(["\\])/\\$1/g; $value =~ s/([\x00-\x1f])/sprintf '\\u%04x', ord $1/ge; push @pairs, "\"$key\":\"$value\"" }
    syswrite(STDOUT, '{' . join(',', @pairs) . "}\n");
}

sub fatal { my ($message) = @_; print STDERR "launcher: $message\n"; exit 64 }
