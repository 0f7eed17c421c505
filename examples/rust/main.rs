//! A small web server in Rust with the standard library alone, a thread for each connection,
//! and a page of checks of that library.
//!
//! GET /hello     a line of text
//! POST /sum      Adler-32 of the body
//! GET /check     what the standard library does here, a line for each part
//! GET /refused   what a machine of one process refuses

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

type Answer = Result<String, Box<dyn std::error::Error>>;

fn check_threads() -> Answer {
    let sum = Arc::new(AtomicU64::new(0));
    let barrier = Arc::new(Barrier::new(8));
    let all: Vec<_> = (0..8u64)
        .map(|n| {
            let (sum, barrier) = (sum.clone(), barrier.clone());
            thread::Builder::new().name(format!("worker-{n}")).spawn(move || {
                barrier.wait();
                for i in 0..1000 {
                    sum.fetch_add(i * n, Ordering::Relaxed);
                }
                thread::current().name().map(str::len)
            })
        })
        .collect::<Result<_, _>>()?;
    let names: usize = all.into_iter().map(|t| t.join().unwrap().unwrap()).sum();
    Ok(format!("{} {}", sum.load(Ordering::SeqCst), names))
}

fn check_channels() -> Answer {
    let (send, receive) = mpsc::channel();
    for n in 0..4 {
        let send = send.clone();
        thread::spawn(move || (0..500).for_each(|i| send.send(n * i).unwrap()));
    }
    drop(send);
    Ok(receive.iter().sum::<i32>().to_string())
}

fn check_locks() -> Answer {
    let pair = Arc::new((Mutex::new(0), Condvar::new()));
    let shared = Arc::new(RwLock::new(HashMap::new()));
    let (pair2, shared2) = (pair.clone(), shared.clone());
    let t = thread::spawn(move || {
        for n in 1..=3 {
            shared2.write().unwrap().insert(n, n * n);
            *pair2.0.lock().unwrap() = n;
            pair2.1.notify_all();
        }
    });
    let mut n = pair.0.lock().unwrap();
    while *n < 3 {
        n = pair.1.wait(n).unwrap();
    }
    let (_n, late) = pair.1.wait_timeout(n, Duration::from_millis(20)).unwrap();
    t.join().unwrap();
    let total: i32 = shared.read().unwrap().values().sum();
    Ok(format!("{} {}", total, late.timed_out()))
}

fn check_panic() -> Answer {
    let quiet = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let caught = thread::spawn(|| panic!("on purpose")).join();
    panic::set_hook(quiet);
    Ok(caught.unwrap_err().downcast_ref::<&str>().unwrap().to_string())
}

fn check_files() -> Answer {
    let dir = std::env::temp_dir().join("check-rust");
    fs::create_dir_all(dir.join("inner"))?;
    fs::write(dir.join("one"), "line\n".repeat(1000))?;
    std::os::unix::fs::symlink("one", dir.join("two"))?;
    fs::copy(dir.join("two"), dir.join("three"))?;
    fs::rename(dir.join("three"), dir.join("four"))?;
    let mut names: Vec<_> = fs::read_dir(&dir)?
        .map(|e| e.map(|e| e.file_name().into_string().unwrap()))
        .collect::<io::Result<_>>()?;
    names.sort();
    let lines = fs::read_to_string(dir.join("four"))?.lines().count();
    fs::remove_dir_all(&dir)?;
    Ok(format!("{} {} {}", names.join(","), lines, dir.exists()))
}

fn check_unix() -> Answer {
    let path = std::env::temp_dir().join("check-rust.sock");
    let listener = UnixListener::bind(&path)?;
    let t = thread::spawn(move || listener.accept().and_then(|(mut s, _)| s.write_all(b"from a unix socket")));
    let mut text = String::new();
    UnixStream::connect(&path)?.read_to_string(&mut text)?;
    t.join().unwrap()?;
    fs::remove_file(path)?;
    Ok(text)
}

fn check_udp() -> Answer {
    let (a, b) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    b.send_to(b"datagram", a.local_addr()?)?;
    let mut buf = [0; 100];
    let (n, from) = a.recv_from(&mut buf)?;
    Ok(format!("{} {}", String::from_utf8_lossy(&buf[..n]), from == b.local_addr()?))
}

fn check_timeout() -> Answer {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut s = TcpStream::connect(listener.local_addr()?)?;
    s.set_read_timeout(Some(Duration::from_millis(20)))?;
    let began = Instant::now();
    let error = s.read(&mut [0; 1]).unwrap_err();
    Ok(format!("{:?} {}", error.kind(), began.elapsed() >= Duration::from_millis(19)))
}

fn check_resolve() -> Answer {
    let all: Vec<_> = ("localhost", 80).to_socket_addrs()?.filter(|a| a.is_ipv4()).collect();
    Ok(format!("{:?}", all.first()))
}

fn check_all() -> String {
    let checks: [(&str, fn() -> Answer); 9] = [
        ("channels", check_channels), ("files", check_files), ("locks", check_locks), ("panic", check_panic),
        ("resolve", check_resolve), ("threads", check_threads), ("timeout", check_timeout), ("udp", check_udp), ("unix", check_unix),
    ];
    checks.iter().map(|(name, check)| format!("{}: {}\n", name, check().unwrap_or_else(|e| format!("FAILED {e}")))).collect()
}

fn refused() -> String {
    match Command::new("/bin/true").status() {
        Ok(status) => format!("spawn: {status}\n"),
        Err(e) => format!("spawn: {:?}\n", e.kind()),
    }
}

fn adler32(from: &mut impl Read, mut left: usize) -> io::Result<u32> {
    let (mut a, mut b, mut buf) = (1u32, 0u32, [0; 65536]);
    while left > 0 {
        let n = from.read(&mut buf[..left.min(65536)])?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for byte in &buf[..n] {
            a = (a + *byte as u32) % 65521;
            b = (b + a) % 65521;
        }
        left -= n;
    }
    Ok(b << 16 | a)
}

fn connection(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = (BufReader::new(stream.try_clone()?), stream);
    loop {
        let (mut first, mut len) = (String::new(), 0);
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                len = value.trim().parse().unwrap_or(0);
            }
            if line == "expect: 100-continue" {
                writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            }
        }
        let (status, body) = match first.split(' ').nth(1) {
            Some("/hello") => ("200 OK", "hello from Rust\n".to_string()),
            Some("/sum") => ("200 OK", format!("{:08x}\n", adler32(&mut reader, len)?)),
            Some("/check") => ("200 OK", check_all()),
            Some("/refused") => ("200 OK", refused()),
            _ => ("404 Not Found", "nothing here\n".to_string()),
        };
        write!(writer, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    }
}

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).and_then(|p| p.parse().ok()).unwrap_or(8080);
    let listener = TcpListener::bind(("0.0.0.0", port))?;
    println!("ready");
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || connection(stream));
    }
    Ok(())
}
