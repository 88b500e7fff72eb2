#!/usr/bin/perl
# Judges a random-kills run from two things alone: the trace that the tasks wrote themselves, and what the API gave back.
# Usage: judge.pl TRACE RESULTS. RESULTS holds ID.out, ID.err, and ID.end with "LINES OUTCOME CODE".
use strict;
use warnings;
my ($trace, $results) = @ARGV;
my (%starts, @wrong, $bytes, $tasks);
open(my $file, '<', $trace) or die "$trace: $!\n";
while (<$file>) {
    if (/^start (\S+) (\d+) ([0-9a-f]{8})$/) { push @{ $starts{$1} }, "$2/$3" }
    else { push @wrong, "a trace line is not whole: $_" }
}
close $file;
sub slurp { open(my $h, '<:raw', $_[0]) or return ''; local $/; return scalar(<$h>) // '' }
for my $end (sort glob "$results/*.end") {
    my ($id) = $end =~ m{([^/]+)\.end$};
    my ($lines, $outcome, $code) = split ' ', slurp($end);
    my $count = @{ $starts{$id} // [] };
    $tasks++;
    push @wrong, "$id started $count times: @{ $starts{$id} }" if $count > 1;
    my ($out, $err) = (slurp("$results/$id.out"), slurp("$results/$id.err"));
    $bytes += length($out) + length $err;
    if ($count == 0) { push @wrong, "$id never started, but has output or an exit code" if length $out || length $err || $outcome eq 'exited'; next }
    my $want_out = join '', map { "$id $_ " . substr($id x 4, $_ % 20, 40) . "\n" } 1 .. $lines;
    my $want_err = join '', map { "$id err $_\n" } grep { $_ % 10 == 0 } 1 .. $lines;
    push @wrong, "$id: stdout differs (" . length($out) . ' of ' . length($want_out) . ' bytes)' if $out ne $want_out;
    push @wrong, "$id: stderr differs (" . length($err) . ' of ' . length($want_err) . ' bytes)' if $err ne $want_err;
    push @wrong, "$id: exit is $outcome $code" if "$outcome $code" ne 'exited 7';
    delete $starts{$id};
}
push @wrong, "$_ started, but nobody was told" for sort keys %starts;
print "judge: $_\n" for @wrong;
printf "judge: %s: %d tasks, %d bytes\n", @wrong ? 'WRONG' : 'all good', $tasks // 0, $bytes // 0;
exit(@wrong ? 1 : 0);
