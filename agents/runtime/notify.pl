#!/usr/bin/perl
# Connects the service manager's datagram socket and keeps the descriptor over exec, so that the program (same pid, hence
# NotifyAccess=main) can send READY=1 and WATCHDOG=1 with plain writes: Node has no datagram unix sockets.
# Usage: notify.pl PROGRAM [ARGUMENT...]
use strict;
use warnings;
use Socket qw(AF_UNIX SOCK_DGRAM pack_sockaddr_un);
use Fcntl qw(F_GETFD F_SETFD FD_CLOEXEC);

die "usage: notify.pl PROGRAM [ARGUMENT...]\n" unless @ARGV;
# Kept open on purpose: the descriptor lives on in the program.
our $manager;
if (defined(my $path = delete $ENV{NOTIFY_SOCKET})) {
    $path =~ s/^@/\0/;    # abstract names, sd_notify(3)
    if (socket($manager, AF_UNIX, SOCK_DGRAM, 0) && connect($manager, pack_sockaddr_un($path))) {
        fcntl($manager, F_SETFD, fcntl($manager, F_GETFD, 0) & ~FD_CLOEXEC);
        $ENV{VIWORKS_NOTIFY_FD} = fileno($manager);
    }
    else {
        warn "notify.pl: cannot reach the service manager: $!\n";
    }
}
exec { $ARGV[0] } @ARGV or die "notify.pl: cannot run $ARGV[0]: $!\n";
