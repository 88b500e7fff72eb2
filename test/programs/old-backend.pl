#!/usr/bin/perl
# A backend of the old kind, for the faults that our own cannot have. Its health endpoint always says healthy, and its log
# always says that the WebSocket server has started, whatever its mode:
#   normal       upgrades on the given path
#   root-only    its WebSocket server knows the path "/" only
#   no-listener  never opens the WebSocket port
#   bind-only    binds and listens, and never accepts
#   silent       accepts, and never says a word
#   wrong-key    upgrades with an accept key that fits no request
#   blocked      its one loop spins: both ports are open, neither is served
# usage: old-backend.pl --mode MODE [--bind 127.0.0.1] [--http 8080] [--ws 8081] [--path /ws/agent]
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;

my %option = (mode => 'normal', bind => '127.0.0.1', http => 8080, ws => 8081, path => '/ws/agent');
while (@ARGV) {
  my ($name, $value) = splice(@ARGV, 0, 2);
  $name =~ s/^--//;
  exists $option{$name} && defined $value or die qq(configuration error: unknown field `$name`\n);
  $option{$name} = $value;
}
$| = 1;
$SIG{TERM} = sub { exit 0 };
$SIG{PIPE} = 'IGNORE';

sub note { print qq({"level":"info","target":"backend_agent","message":"$_[0]"}\n) }

sub listen_on {
  my ($port, $backlog) = @_;
  IO::Socket::INET->new(LocalAddr => $option{bind}, LocalPort => $port, Listen => $backlog, ReuseAddr => 1)
    or die qq({"level":"error","message":"cannot bind $option{bind}:$port: $!"}\n);
}

note('Starting backend agent');
my $http = listen_on($option{http}, 128);
note("HTTP server listening on $option{bind}:$option{http}");
my $ws = $option{mode} eq 'no-listener' ? undef : listen_on($option{ws}, 128);
note("WebSocket server started on $option{bind}:$option{ws}");

my $ready = IO::Select->new($http);
$ready->add($ws) if $ws && $option{mode} ne 'bind-only';
my %client;

if ($option{mode} eq 'blocked') { 1 while 1 }

while (1) {
  for my $socket ($ready->can_read) {
    if ($socket == $http || ($ws && $socket == $ws)) {
      my $peer = $socket->accept or next;
      $peer->blocking(0);
      $ready->add($peer);
      $client{$peer} = { kind => $socket == $http ? 'http' : 'ws', buffer => '' };
      next;
    }
    my $state = $client{$socket};
    my $count = sysread($socket, my $chunk, 65536);
    if (!$count) { drop($socket); next }
    $state->{buffer} .= $chunk;
    $state->{open} ? frames($socket, $state) : request($socket, $state);
  }
}

sub drop {
  my ($socket) = @_;
  delete $client{$socket};
  $ready->remove($socket);
  close $socket;
}

sub request {
  my ($socket, $state) = @_;
  $state->{buffer} =~ s/^(.*?)\r\n\r\n//s or return;
  my ($first, @lines) = split /\r\n/, $1;
  my ($method, $target) = split / /, $first;
  my %header = map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () } @lines;
  return if $option{mode} eq 'silent' && $state->{kind} eq 'ws';
  if ($state->{kind} eq 'http') {
    my $healthy = $target eq '/health';
    my $time = time;
    answer($socket, $healthy ? '200 OK' : '404 Not Found',
      $healthy ? qq({"status":"healthy","timestamp":$time,"version":"0.1.0","uptime":0}) : '{"error":"not found"}');
    return;
  }
  my $path = $option{mode} eq 'root-only' ? '/' : $option{path};
  if ((split /\?/, $target)[0] ne $path) { answer($socket, '404 Not Found', ''); return }
  if (lc($header{upgrade} // '') ne 'websocket' || ($header{connection} // '') !~ /upgrade/i) {
    answer($socket, '426 Upgrade Required', '');
    return;
  }
  my $key = $header{'sec-websocket-key'} // '';
  if ($key !~ m{^[A-Za-z0-9+/]{22}==$}) { answer($socket, '400 Bad Request', ''); return }
  my $salt = $option{mode} eq 'wrong-key' ? 'x' : '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
  my $accept = base64(sha1($key . $salt));
  syswrite($socket, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: $accept\r\n\r\n");
  $state->{open} = 1;
  note('New WebSocket connection');
  frames($socket, $state);
}

sub answer {
  my ($socket, $status, $body) = @_;
  my $length = length $body;
  syswrite($socket, "HTTP/1.1 $status\r\nContent-Type: application/json\r\nContent-Length: $length\r\nConnection: close\r\n\r\n$body");
  drop($socket);
}

# Answers a ping with a pong and a close with a close; everything else is read and ignored, as the old backend did.
sub frames {
  my ($socket, $state) = @_;
  while (length $state->{buffer} >= 2) {
    my ($head, $size) = unpack 'CC', $state->{buffer};
    my ($masked, $at) = ($size & 0x80, 2);
    $size &= 0x7f;
    if ($size == 126) { return if length $state->{buffer} < 4; $size = unpack 'x2n', $state->{buffer}; $at = 4 }
    elsif ($size == 127) { return if length $state->{buffer} < 10; $size = unpack 'x2Q>', $state->{buffer}; $at = 10 }
    my $mask = $masked ? substr($state->{buffer}, $at, 4) : '';
    $at += 4 if $masked;
    return if length $state->{buffer} < $at + $size;
    my $payload = substr($state->{buffer}, $at, $size);
    $payload ^= substr($mask x ($size / 4 + 1), 0, $size) if $masked;
    substr($state->{buffer}, 0, $at + $size, '');
    my $code = $head & 0x0f;
    if ($code == 9) { syswrite($socket, pack('CC', 0x8a, $size) . $payload) }
    if ($code == 8) { syswrite($socket, pack('CC', 0x88, $size) . $payload); drop($socket); return }
  }
}

# A minimal Debian's perl has no Digest::SHA.
sub sha1 {
  my ($message) = @_;
  my @h = (0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);
  my $bits = 8 * length $message;
  $message .= "\x80" . "\0" x ((55 - length $message) % 64) . pack('Q>', $bits);
  my $rotate = sub { (($_[0] << $_[1]) | (($_[0] & 0xffffffff) >> (32 - $_[1]))) & 0xffffffff };
  for my $block (unpack '(a64)*', $message) {
    my @w = unpack 'N16', $block;
    push @w, $rotate->($w[-3] ^ $w[-8] ^ $w[-14] ^ $w[-16], 1) for 16 .. 79;
    my ($a, $b, $c, $d, $e) = @h;
    for my $i (0 .. 79) {
      my ($f, $k) = $i < 20 ? (($b & $c) | (~$b & $d), 0x5a827999) : $i < 40 ? ($b ^ $c ^ $d, 0x6ed9eba1)
        : $i < 60 ? (($b & $c) | ($b & $d) | ($c & $d), 0x8f1bbcdc) : ($b ^ $c ^ $d, 0xca62c1d6);
      my $next = ($rotate->($a, 5) + ($f & 0xffffffff) + $e + $k + $w[$i]) & 0xffffffff;
      ($e, $d, $c, $b, $a) = ($d, $c, $rotate->($b, 30), $a, $next);
    }
    @h = map { ($h[$_] + ($a, $b, $c, $d, $e)[$_]) & 0xffffffff } 0 .. 4;
  }
  return pack 'N5', @h;
}

sub base64 {
  my $text = pack 'u', $_[0];
  $text =~ s/^.//mg;
  $text =~ s/\n//g;
  $text =~ tr{` -_}{AA-Za-z0-9+/};
  my $fill = (3 - length($_[0]) % 3) % 3;
  $text =~ s/.{$fill}$/'=' x $fill/e if $fill;
  return $text;
}
