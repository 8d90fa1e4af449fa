# What a Perl program does: expressions, data, text, files, processes, signals, sockets. In TAP.
use strict;
use warnings;
use List::Util qw(sum reduce shuffle);
use POSIX qw(:sys_wait_h floor strftime);
use Socket;
use Digest::SHA qw(sha256_hex);
use Time::HiRes qw(usleep);
use Storable qw(freeze thaw);

$| = 1;
my $n = 0;
sub ok { my ($good, $name) = @_; $n++; print(($good ? "" : "not "), "ok $n - $name\n"); }
sub is { my ($got, $want, $name) = @_; ok($got eq $want, $name); print "# $got\n" if $got ne $want; }

is(2**53 + 1, 9007199254740992 + 0, 'doubles have 53 bits');
is(sprintf('%.15g %e %g', 1 / 3, 12345.678, 1e100), '0.333333333333333 1.234568e+04 1e+100', 'sprintf');
is(join(',', map { $_ % 7 } -3 .. 3), '4,5,6,0,1,2,3', 'modulo');
is(0xffffffffffffffff & ~0xff, 18446744073709551360, '64 bits');
is(join(' ', unpack('N n C a3 w', pack('N n C a3 w', 0xdeadbeef, 513, 200, 'xyz', 300))),
    '3735928559 513 200 xyz 300', 'pack');
is(unpack('H*', pack('d<', -2.5)), '00000000000004c0', 'bytes of a double');

my %count;
$count{$_}++ for split //, 'the quick brown fox jumps over the lazy dog' x 50;
is(join('', map { "$_$count{$_}" } (sort keys %count)[0 .. 3]), ' 400a50b50c50', 'hash');
is(join(',', sort { $b <=> $a } map { $_ * 17 % 101 } 1 .. 10), '85,84,69,68,52,51,35,34,18,17', 'sort');
my @tree = (1, [2, [3, { four => [4, 5] }]]);
is(thaw(freeze(\@tree))->[1][1][1]{four}[1], 5, 'storable');
my @add = map { my $k = $_; sub { $_[0] + $k } } 1 .. 3;
is(sum(map { $_->(10) } @add), 36, 'closures');
is((reduce { $a * $b } 1 .. 15), 1307674368000, 'reduce');

my $text = join "\n", map { "line $_: " . 'ab' x ($_ % 5) } 1 .. 1000;
my @found = $text =~ /^line (\d+): (?:ab){4}$/mg;
is(scalar(@found), 200, 'regular expression, lines');
(my $copy = $text) =~ s/(\d+)(?=:)/$1 * 2/ge;
ok($copy =~ /^line 2000: $/m, 'substitution by an expression');
is(join('|', 'a1b22c333' =~ /(?<letter>[a-z])(\d+)/g), 'a|1|b|22|c|333', 'named groups');
my $nested = qr/\((?:[^()]++|(??{ our $again }))*\)/;
our $again = $nested;
ok('((a)(b(c)))' =~ /^$nested$/, 'recursive pattern');
is(length("\x{20ac}uro"), 4, 'characters');
(my $upper = "stra\x{df}e") =~ tr/a-y/b-z/;
is($upper, "tusb\x{df}f", 'tr');
is(sha256_hex('abc' x 10000), sha256_hex(join '', ('abc') x 10000), 'digest');
is(substr(sha256_hex('abc'), 0, 16), 'ba7816bf8f01cfea', 'digest is right');

eval { die { code => 42 } };
is($@->{code}, 42, 'die with data');
eval { my $zero = 0; my $x = 1 / $zero; };
ok($@ =~ /division by zero/, 'division by zero');
local $SIG{__WARN__} = sub { is($_[0], "careful\n", 'warning'); };
warn "careful\n";

my $file = ($ENV{TMPDIR} || '/tmp') . "/perl-$$";
open(my $out, '>', $file) or die "$file: $!";
print $out "$_\n" for 1 .. 10000;
close $out;
is(-s $file, 48894, 'size of a file');
open(my $in, '<', $file) or die;
my $total = 0;
while (<$in>) { chomp; $total += $_; }
is($total, 50005000, 'lines of a file');
seek $in, 100, 0;
read $in, my $bytes, 5;
is(unpack('H*', $bytes), '0a33380a33', 'seek and read');
close $in;
unlink $file;
ok(!-e $file, 'unlink');

pipe(my $r, my $w) or die;
my $pid = fork;
if (!$pid) { close $r; print $w "from the child\n" x 1000; close $w; exit 5; }
close $w;
my $lines = () = <$r>;
waitpid $pid, 0;
is("$lines " . ($? >> 8), '1000 5', 'fork and pipe');
is(`echo hello | tr a-z A-Z`, "HELLO\n", 'back ticks');
is(system('exit 3') >> 8, 3, 'system');
is(system('kill -9 $$') & 127, 9, 'killed');
my @children = map { my $k = $_; my $p = fork; if (!$p) { exit $k } $p } 1 .. 10;
my $sum = 0;
waitpid($_, 0), $sum += $? >> 8 for @children;
is($sum, 55, 'ten children');

my $caught = 0;
$SIG{USR1} = sub { $caught++ };
kill USR1 => $$ for 1 .. 100;
usleep 1000;
is($caught, 100, 'signals');
my $alarm = eval { local $SIG{ALRM} = sub { die "alarm\n" }; alarm 1; 1 while 1; 0 };
is($@, "alarm\n", 'alarm ends a loop');

socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die;
syswrite $a, 'x' x 5000;
sysread $b, my $got, 10000;
is(length $got, 5000, 'socketpair');
socket(my $listen, PF_INET, SOCK_STREAM, 0) or die;
bind($listen, sockaddr_in(0, INADDR_LOOPBACK)) or die;
listen($listen, 5);
my ($port) = sockaddr_in(getsockname $listen);
if (!fork) {
    socket(my $s, PF_INET, SOCK_STREAM, 0);
    connect($s, sockaddr_in($port, INADDR_LOOPBACK)) or exit 1;
    syswrite $s, "over TCP\n";
    exit 0;
}
accept(my $peer, $listen);
is(scalar(<$peer>), "over TCP\n", 'TCP');
wait;
is($?, 0, 'its child');
is(strftime('%Y-%m-%d %H:%M:%S', gmtime 1e9), '2001-09-09 01:46:40', 'time');
is(join(' ', map { sprintf '%.12g', $_ } sqrt 2, exp 1, atan2(1, 1) * 4, log 10), 
    '1.41421356237 2.71828182846 3.14159265359 2.30258509299', 'functions');
print "1..$n\n";
exit 6;
