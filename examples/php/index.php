<?php
/*
 * A page of checks of PHP, served by PHP's built-in web server.
 *
 * GET /hello     a line of text
 * POST /sum      SHA-256 of the body
 * GET /check     what PHP does here, a line for each part
 * GET /refused   what a machine of one process refuses
 */

function check_hash() {
    return hash('sha256', 'abc') . ' ' . (password_verify('word', password_hash('word', PASSWORD_BCRYPT, ['cost' => 4])) ? 'verified' : 'not verified');
}

function check_random() {
    return strlen(random_bytes(32)) . ' ' . (random_bytes(8) !== random_bytes(8) ? 'different' : 'the same');
}

// PCRE compiles expressions where it may make code, and interprets them elsewhere.
function check_regex() {
    $text = str_repeat('key=value; ', 2000);
    $found = preg_match_all('/(?<name>\w+)=(?<value>\w+)/u', $text, $all);
    return $found . ' ' . $all['value'][1999] . ' ' . preg_replace_callback('/\d+/', fn ($m) => $m[0] * 2, 'a1b22c333');
}

function check_files() {
    $dir = sys_get_temp_dir() . '/check-' . getmypid();
    mkdir("$dir/inner", 0700, true);
    file_put_contents("$dir/one", str_repeat("line\n", 1000), LOCK_EX);
    file_put_contents("$dir/one", "last\n", FILE_APPEND);
    symlink('one', "$dir/two");
    copy("$dir/two", "$dir/three");
    rename("$dir/three", "$dir/four");
    $names = implode(',', array_diff(scandir($dir), ['.', '..']));
    $lines = count(file("$dir/four"));
    foreach (['one', 'two', 'four'] as $name) {
        unlink("$dir/$name");
    }
    rmdir("$dir/inner");
    return "$names $lines " . (rmdir($dir) ? 'removed' : 'left');
}

function check_temp() {
    $f = tmpfile();
    fwrite($f, 'text');
    rewind($f);
    return fread($f, 10) . ' ' . (flock($f, LOCK_EX | LOCK_NB) ? 'locked' : 'not locked');
}

function check_streams() {
    $server = stream_socket_server('tcp://127.0.0.1:0', $code, $message);
    $client = stream_socket_client('tcp://' . stream_socket_get_name($server, false));
    $peer = stream_socket_accept($server, 5);
    fwrite($client, "there\n");
    fwrite($peer, strtoupper(fgets($peer)));
    stream_set_blocking($client, false);
    $read = [$client];
    $none = null;
    $ready = stream_select($read, $none, $none, 5);
    return $ready . ' ' . trim(fgets($client));
}

function check_unix() {
    $path = 'unix://' . sys_get_temp_dir() . '/check-php.sock';
    $server = stream_socket_server($path);
    $client = stream_socket_client($path);
    fwrite(stream_socket_accept($server, 5), "from a unix socket\n");
    unlink(substr($path, 7));
    return trim(fgets($client));
}

function check_json() {
    return json_encode(json_decode('{"a":[1,2.5,"x"],"b":null}', true, 5, JSON_THROW_ON_ERROR));
}

function check_hot() {
    $f = function ($n) use (&$f) {
        return $n < 2 ? $n : $f($n - 1) + $f($n - 2);
    };
    return $f(18);
}

function check_memory() {
    $all = [];
    for ($n = 0; $n < 200000; $n++) {
        $all[] = "item $n";
    }
    $count = count($all);
    unset($all);
    return $count . ' ' . (memory_get_usage() < 8 << 20 ? 'freed' : 'kept');
}

function check_exceptions() {
    try {
        intdiv(1, 0);
    } catch (DivisionByZeroError $e) {
        return $e->getMessage();
    }
}

header('Content-Type: text/plain');
switch (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH)) {
    case '/hello':
        echo "hello from PHP\n";
        break;
    case '/sum':
        $sum = hash_init('sha256');
        hash_update_stream($sum, fopen('php://input', 'r'));
        echo hash_final($sum), "\n";
        break;
    case '/check':
        foreach (['exceptions', 'files', 'hash', 'hot', 'json', 'memory', 'random', 'regex', 'streams', 'temp', 'unix'] as $name) {
            try {
                echo "$name: ", ("check_$name")(), "\n";
            } catch (Throwable $e) {
                echo "$name: FAILED ", $e->getMessage(), "\n";
            }
        }
        break;
    case '/refused':
        $pipes = [];
        $process = @proc_open(['/bin/true'], [], $pipes);
        echo 'proc_open: ', $process ? 'done' : error_get_last()['message'], "\n";
        break;
    case '/jit':
        $on = function_exists('opcache_get_status') ? opcache_get_status(false)['jit']['on'] ?? false : false;
        echo 'opcache: ', $on ? 'on' : 'off', ', pcre: ', ini_get('pcre.jit') ? 'on' : 'off', "\n";
        break;
    default:
        http_response_code(404);
        echo "nothing here\n";
}
