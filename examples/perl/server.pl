#!/usr/bin/perl
# A small web server in Perl with IO::Socket::INET and IO::Select, one connection after another,
# and a page of checks of the core modules.
#
# GET /hello     a line of text
# POST /sum      SHA-256 of the body
# GET /check     what the core modules do here, a line for each part
# GET /refused   what a machine of one process refuses
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Errno;
use Fcntl qw(:flock :seek);
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Socket;
use Time::HiRes qw(sleep time alarm);

my %checks = (
    files => sub {
        my $dir = tempdir(CLEANUP => 0);
        make_path("$dir/a/b");
        open(my $f, '+>', "$dir/a/one") or die $!;
        print $f "line $_\n" for 1 .. 1000;
        seek($f, 0, SEEK_SET);
        my @lines = <$f>;
        my $locked = flock($f, LOCK_EX | LOCK_NB) ? 'locked' : 'not locked';
        symlink('one', "$dir/a/two") or die $!;
        rename("$dir/a/one", "$dir/a/three") or die $!;
        opendir(my $d, "$dir/a") or die $!;
        my $names = join ',', sort grep { !/^\./ } readdir $d;
        remove_tree($dir);
        return "$names " . @lines . " $locked " . (-e $dir ? 'left' : 'removed');
    },
    regex => sub {
        my $text = join ' ', map { "k$_=v$_" } 1 .. 500;
        my %pairs = $text =~ /(\w+)=(\w+)/g;
        return scalar(keys %pairs) . " $pairs{k77}";
    },
    alarm => sub {
        local $SIG{ALRM} = sub { die "alarm\n" };
        eval { alarm(0.05); select(undef, undef, undef, 10); };
        return $@ =~ s/\n//r;
    },
    signal => sub {
        my $seen = 0;
        local $SIG{USR1} = sub { $seen++ };
        kill USR1 => $$;
        return $seen;
    },
    pipe => sub {
        pipe(my $in, my $out) or die $!;
        syswrite($out, "through a pipe\n");
        my $ready = IO::Select->new($in)->can_read(1);
        return $ready . ' ' . (<$in> =~ s/\n//r);
    },
    tcp => sub {
        my $server = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die $@;
        my $client = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->sockport) or die $@;
        my $peer = $server->accept;
        $client->print("there\n");
        $client->shutdown(1);
        return uc(<$peer> =~ s/\n//r) . ' ' . ($peer->peerhost);
    },
    unix => sub {
        my $path = '/tmp/check-pl.sock';
        my $server = IO::Socket::UNIX->new(Local => $path, Listen => 1) or die $!;
        my $client = IO::Socket::UNIX->new(Peer => $path) or die $!;
        $server->accept->print("from a unix socket\n");
        unlink $path;
        return <$client> =~ s/\n//r;
    },
    udp => sub {
        my $a = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1') or die $@;
        my $b = IO::Socket::INET->new(Proto => 'udp', PeerAddr => '127.0.0.1', PeerPort => $a->sockport) or die $@;
        $b->send('datagram');
        $a->recv(my $text, 100);
        return $text;
    },
    resolve => sub { return join '.', unpack 'C4', scalar gethostbyname 'localhost' },
    sleep => sub { my $began = time; sleep 0.05; return time - $began >= 0.045 ? 'slept' : 'woke early' },
    error => sub { return open(my $f, '<', '/no/such') ? 'opened' : "$!" . ($!{ENOENT} ? ' ENOENT' : '') },
);

sub check {
    return join '', map {
        my $answer = eval { $checks{$_}->() };
        "$_: " . ($answer // "FAILED $@") . "\n";
    } sort keys %checks;
}

sub refused {
    my $pid = fork;
    POSIX::_exit(0) if defined $pid && $pid == 0;
    my $out = 'fork: ' . (defined $pid ? 'done' : $!) . "\n";
    my $status = system '/bin/true';
    return $out . 'system: ' . ($status == -1 ? $! : 'done') . "\n";
}

sub connection {
    my ($socket) = @_;
    while (defined(my $first = <$socket>)) {
        my ($len, $body) = (0, '');
        while (defined(my $line = <$socket>)) {
            last if $line =~ /^\r?\n$/;
            $len = $1 if $line =~ /^content-length:\s*(\d+)/i;
            print $socket "HTTP/1.1 100 Continue\r\n\r\n" if $line =~ /^expect: 100-continue/i;
        }
        while (length $body < $len) {
            read($socket, $body, $len - length $body, length $body) or return;
        }
        my ($path) = $first =~ /^\w+ (\S+)/;
        my ($status, $text) = ('200 OK', '');
        if ($path eq '/hello') { $text = "hello from Perl\n" }
        elsif ($path eq '/sum') { $text = sha256_hex($body) . "\n" }
        elsif ($path eq '/check') { $text = check() }
        elsif ($path eq '/refused') { $text = refused() }
        else { ($status, $text) = ('404 Not Found', "nothing here\n") }
        print $socket "HTTP/1.1 $status\r\nContent-Length: " . length($text) . "\r\nConnection: close\r\n\r\n$text";
        return;
    }
}

my $port = shift // 8080;
my $listener = IO::Socket::INET->new(LocalPort => $port, Listen => 128, ReuseAddr => 1) or die "cannot listen: $@\n";
my $stop;
$SIG{TERM} = sub { $stop = 1 };
$SIG{PIPE} = 'IGNORE';
$| = 1;
print "ready\n";
my $ready = IO::Select->new($listener);
until ($stop) {
    # Not for ever: a signal between the test and the wait would go unnoticed until somebody connects.
    next unless $ready->can_read(1);
    my $socket = $listener->accept or next;
    connection($socket);
    close $socket;
}
print "stopped\n";
