# A small web server in Ruby with WEBrick, and a page of checks of the standard library.
#
# GET /hello     a line of text
# POST /sum      SHA-256 of the body
# GET /check     what the standard library does here, a line for each part
# GET /refused   what a machine of one process refuses
require 'digest'
require 'fileutils'
require 'json'
require 'net/http'
require 'openssl'
require 'securerandom'
require 'socket'
require 'tempfile'
require 'timeout'
require 'tmpdir'
require 'webrick'
require 'zlib'

PORT = (ARGV[0] || 8080).to_i

CHECKS = {
  threads: lambda {
    sum, lock = 0, Mutex.new
    8.times.map { |n| Thread.new { 500.times { |i| lock.synchronize { sum += n * i } } } }.each(&:join)
    sum
  },
  queue: lambda {
    queue, done = SizedQueue.new(4), Queue.new
    workers = 3.times.map { Thread.new { while (n = queue.pop) do done << n * n end } }
    100.times { |n| queue << n }
    3.times { queue << nil }
    workers.each(&:join)
    Array.new(done.size) { done.pop }.sum
  },
  fibers: lambda {
    fiber = Fiber.new { 5.times { |n| Fiber.yield n }; :end }
    6.times.map { fiber.resume }
  },
  ractor: lambda {
    2.times.map { |n| Ractor.new(n) { |m| (1..1000).sum * m } }.map(&:take)
  },
  files: lambda {
    Dir.mktmpdir do |dir|
      FileUtils.mkdir_p("#{dir}/a/b")
      File.write("#{dir}/a/one", "line\n" * 1000)
      File.symlink('one', "#{dir}/a/two")
      FileUtils.cp("#{dir}/a/two", "#{dir}/a/three")
      locked = File.open("#{dir}/a/three") { |f| f.flock(File::LOCK_EX | File::LOCK_NB) }
      [Dir.children("#{dir}/a").sort, File.foreach("#{dir}/a/three").count, locked]
    end
  },
  client: lambda {
    answer = Net::HTTP.get_response('127.0.0.1', '/hello', PORT)
    [answer.code, answer.body.strip]
  },
  tls: lambda {
    key = OpenSSL::PKey::EC.generate('prime256v1')
    cert = OpenSSL::X509::Certificate.new
    cert.subject = cert.issuer = OpenSSL::X509::Name.parse('/CN=check')
    cert.public_key = key
    cert.serial, cert.version = 1, 2
    cert.not_before, cert.not_after = Time.now - 60, Time.now + 3600
    cert.sign(key, OpenSSL::Digest.new('SHA256'))
    inner = OpenSSL::SSL::SSLContext.new
    inner.cert, inner.key = cert, key
    server = OpenSSL::SSL::SSLServer.new(TCPServer.new('127.0.0.1', 0), inner)
    thread = Thread.new { s = server.accept; s.puts(s.gets.reverse.strip); s.close }
    outer = OpenSSL::SSL::SSLContext.new
    outer.verify_mode = OpenSSL::SSL::VERIFY_PEER
    outer.cert_store = OpenSSL::X509::Store.new.tap { |store| store.add_cert(cert) }
    s = OpenSSL::SSL::SSLSocket.new(TCPSocket.new('127.0.0.1', server.addr[1]), outer)
    s.connect
    s.puts 'drawer'
    line = [s.gets.strip, s.ssl_version]
    s.close
    thread.join
    line
  },
  unix: lambda {
    path = File.join(Dir.tmpdir, 'check-rb.sock')
    server = UNIXServer.new(path)
    thread = Thread.new { s = server.accept; s.write('from a unix socket'); s.close }
    text = UNIXSocket.open(path, &:read)
    thread.join
    File.unlink(path)
    text
  },
  udp: lambda {
    a, b = UDPSocket.new, UDPSocket.new
    a.bind('127.0.0.1', 0)
    b.send('datagram', 0, '127.0.0.1', a.addr[1])
    a.recv(100)
  },
  timeout: lambda {
    begin
      Timeout.timeout(0.05) { sleep 10 }
    rescue Timeout::Error => e
      e.message
    end
  },
  signal: lambda {
    seen = Queue.new
    old = trap('USR1') { seen << :usr1 }
    Process.kill('USR1', Process.pid)
    Timeout.timeout(10) { seen.pop }.tap { trap('USR1', old) }
  },
  deep: lambda {
    deep = ->(n) { deep.(n + 1) }
    begin
      deep.(0)
    rescue SystemStackError => e
      e.message
    end
  },
  zlib: -> { Zlib.inflate(Zlib.deflate('text ' * 5000)).size },
  random: -> { SecureRandom.hex(8).size },
  garbage: -> { 200_000.times { |n| "item #{n}" }; GC.start; GC.count.positive? },
}.freeze

def check
  CHECKS.sort.map do |name, part|
    "#{name}: #{part.call.to_json}\n"
  rescue StandardError => e
    "#{name}: FAILED #{e.class} #{e.message}\n"
  end.join
end

def refused
  attempts = { fork: -> { fork { exit! } }, spawn: -> { spawn('/bin/true') }, backtick: -> { `true` } }
  attempts.map do |name, attempt|
    attempt.call
    "#{name}: done\n"
  rescue SystemCallError, NotImplementedError => e
    "#{name}: #{e.class}\n"
  end.join
end

$stdout.sync = true
server = WEBrick::HTTPServer.new(Port: PORT, BindAddress: '0.0.0.0', AccessLog: [], Logger: WEBrick::Log.new(File::NULL),
                                 StartCallback: -> { puts 'ready' })
server.mount_proc('/hello') { |_, response| response.body = "hello from Ruby\n" }
server.mount_proc('/sum') { |request, response| response.body = Digest::SHA256.hexdigest(request.body) + "\n" }
server.mount_proc('/check') { |_, response| response.body = check }
server.mount_proc('/refused') { |_, response| response.body = refused }
trap('TERM') { server.shutdown }
server.start
puts 'stopped'
