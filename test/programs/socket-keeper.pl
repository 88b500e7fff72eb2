#!/usr/bin/perl
# A service manager in small: holds two listening sockets (descriptors 3 and 4, named api and agents) and runs a program on them,
# again each time it ends, until stdin is closed. Prints `listen PORT PORT` once and `started PID` for each run; the program's
# notifications (descriptor 5) come out as `notify TEXT`.
# Usage: socket-keeper.pl PROGRAM [ARGUMENT...]
use strict;
use warnings;
use Fcntl qw(F_SETFD);
use IO::Select;
use POSIX qw(dup2);
use Socket qw(AF_INET AF_UNIX INADDR_LOOPBACK PF_UNSPEC SOCK_DGRAM SOCK_STREAM SOMAXCONN pack_sockaddr_in unpack_sockaddr_in);

$| = 1;
my (@sockets, @ports);
for (1 .. 2) {
    socket(my $socket, AF_INET, SOCK_STREAM, 0) or die "socket: $!";
    bind($socket, pack_sockaddr_in(0, INADDR_LOOPBACK)) or die "bind: $!";
    listen($socket, SOMAXCONN) or die "listen: $!";
    push @ports, (unpack_sockaddr_in(getsockname($socket)))[0];
    push @sockets, $socket;
}
print "listen @ports\n";
socketpair(my $ours, my $theirs, AF_UNIX, SOCK_DGRAM, PF_UNSPEC) or die "socketpair: $!";
my $select = IO::Select->new(\*STDIN, $ours);
my $pid;
RUN: while (1) {
    $pid = fork() // die "fork: $!";
    if ($pid == 0) {
        my @from = map { POSIX::dup(fileno($_)) + 0 } @sockets, $theirs;
        # Out of the way first, so that no descriptor is overwritten before it was copied.
        @from = map { my $high = 50 + $_; dup2($from[$_], $high); $high } 0 .. 2;
        dup2($from[$_], 3 + $_) for 0 .. 2;
        POSIX::close($_) for 50 .. 52;
        @ENV{qw(LISTEN_PID LISTEN_FDS LISTEN_FDNAMES VIWORKS_NOTIFY_FD)} = ($$, 2, 'api:agents', 5);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        exec { $ARGV[0] } @ARGV or die "exec: $!";
    }
    print "started $pid\n";
    while (1) {
        for my $handle ($select->can_read(0.02)) {
            if ($handle == $ours) {
                recv($ours, my $text, 4096, 0);
                $text =~ s/\n/ /g;
                print "notify $text\n";
            }
            elsif (sysread(STDIN, my $ignored, 4096) == 0) {
                kill 'TERM', $pid;
                waitpid $pid, 0;
                last RUN;
            }
        }
        next RUN if waitpid($pid, 1) == $pid;
    }
}
