#!/usr/bin/perl
# A task that can be checked without trusting anybody: appends `start ID PID NONCE` to a trace file, then prints a sequence
# that follows from its id alone, in COUNT lines over SECONDS, on stdout, and each tenth line on stderr too.
use strict;
use warnings;
use Fcntl qw(O_WRONLY O_APPEND O_CREAT);
my ($trace, $count, $seconds) = @ARGV;
my $id = $ENV{VIWORKS_TASK_ID};
sysopen(my $file, $trace, O_WRONLY | O_APPEND | O_CREAT, 0666) or die "cannot open $trace: $!\n";
syswrite($file, sprintf "start %s %d %08x\n", $id, $$, rand(2**32));
close $file;
$| = 1;
for my $line (1 .. $count) {
    syswrite(STDOUT, "$id $line " . substr($id x 4, $line % 20, 40) . "\n");
    syswrite(STDERR, "$id err $line\n") if $line % 10 == 0;
    select undef, undef, undef, $seconds / $count;
}
exit 7;
