/*
 * A small web server in Node.js, and a page of checks of its standard library.
 *
 * GET /hello     a line of text
 * POST /sum      SHA-256 of the body, streamed
 * GET /check     what the standard library does here, a line for each part
 * GET /refused   what a machine of one process refuses
 */
'use strict';
const child_process = require('child_process');
const crypto = require('crypto');
const dgram = require('dgram');
const dns = require('dns');
const events = require('events');
const fs = require('fs');
const http = require('http');
const net = require('net');
const os = require('os');
const path = require('path');
const stream = require('stream/promises');
const timers = require('timers/promises');
const tls = require('tls');
const { promisify } = require('util');
const workers = require('worker_threads');
const zlib = require('zlib');

if (!workers.isMainThread) {
  let sum = 0;
  for (let n = 0; n < workers.workerData; n++) sum += n;
  workers.parentPort.postMessage(sum);
  return;
}

const port = Number(process.argv[2] || 8080);

const checks = {
  async crypto() {
    const key = await promisify(crypto.scrypt)('word', 'salt', 32);
    const iv = Buffer.alloc(12, 7);
    const cipher = crypto.createCipheriv('aes-256-gcm', key, iv);
    const secret = Buffer.concat([cipher.update('plain'), cipher.final(), cipher.getAuthTag()]);
    const random = new Set(Array.from({ length: 50 }, () => crypto.randomBytes(16).toString('hex')));
    return [secret.toString('hex'), random.size];
  },
  async fetch() {
    if (typeof WebAssembly === 'undefined') return 'not without a compiler';  // its parser is WebAssembly
    const answer = await fetch(`http://127.0.0.1:${port}/hello`);
    return [answer.status, (await answer.text()).trim()];
  },
  async fs() {
    const dir = await fs.promises.mkdtemp(path.join(os.tmpdir(), 'check-'));
    const one = path.join(dir, 'one'), two = path.join(dir, 'two');
    await fs.promises.writeFile(one, 'x'.repeat(100000));
    await fs.promises.symlink('one', two);
    await fs.promises.copyFile(two, path.join(dir, 'three'));
    const names = (await fs.promises.readdir(dir)).sort();
    const { size } = await fs.promises.stat(path.join(dir, 'three'));
    await fs.promises.rm(dir, { recursive: true });
    return [names, size, fs.existsSync(dir)];
  },
  async streams() {
    const file = path.join(os.tmpdir(), 'stream.gz');
    const sum = crypto.createHash('sha256');
    await stream.pipeline(function* () { for (let n = 0; n < 30; n++) yield `line ${n}\n`.repeat(1000); }, zlib.createGzip(), fs.createWriteStream(file));
    await stream.pipeline(fs.createReadStream(file), zlib.createGunzip(), sum);
    fs.unlinkSync(file);
    return sum.digest('hex');
  },
  async timers() {
    const order = [];
    await Promise.all([300, 100, 200].map(async (ms) => { await timers.setTimeout(ms); order.push(ms); }));
    setImmediate(() => order.push('immediate'));
    process.nextTick(() => order.push('tick'));
    await timers.setTimeout(5);
    return order;
  },
  async watch() {
    const file = path.join(os.tmpdir(), 'watched');
    fs.writeFileSync(file, 'a');
    const watcher = fs.watch(file);
    setTimeout(() => fs.appendFileSync(file, 'b'), 10);
    const [kind, name] = await events.once(watcher, 'change');
    watcher.close();
    return [kind, name];
  },
  async workers() {
    const sums = await Promise.all([1000, 2000, 3000, 4000].map(async (n) => {
      const worker = new workers.Worker(__filename, { workerData: n });
      const [[sum]] = await Promise.all([events.once(worker, 'message'), events.once(worker, 'exit')]);
      return sum;
    }));
    return sums;
  },
  async shared() {
    const words = new Int32Array(new SharedArrayBuffer(8));
    const worker = new workers.Worker(`
      const { workerData: words } = require('worker_threads');
      Atomics.wait(words, 0, 0);
      Atomics.store(words, 1, 42);
      Atomics.notify(words, 1);`, { eval: true, workerData: words });
    await events.once(worker, 'online');
    Atomics.store(words, 0, 1);
    Atomics.notify(words, 0);
    await events.once(worker, 'exit');
    return words[1];
  },
  async net() {
    const server = net.createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
    await events.once(server, 'listening');
    const client = net.connect(server.address().port, '127.0.0.1');
    client.end('there and back');
    let text = '';
    for await (const piece of client) text += piece;
    server.close();
    return text;
  },
  async unix() {
    const file = path.join(os.tmpdir(), 'check.sock');
    const server = net.createServer((socket) => socket.end('from a unix socket')).listen(file);
    await events.once(server, 'listening');
    let text = '';
    for await (const piece of net.connect(file)) text += piece;
    server.close();
    return text;
  },
  async udp() {
    const a = dgram.createSocket('udp4'), b = dgram.createSocket('udp4');
    a.bind(0, '127.0.0.1');
    await events.once(a, 'listening');
    b.send('datagram', a.address().port, '127.0.0.1');
    const [message] = await events.once(a, 'message');
    a.close();
    b.close();
    return message.toString();
  },
  async tls() {
    const key = fs.readFileSync(path.join(__dirname, 'key.pem')), cert = fs.readFileSync(path.join(__dirname, 'cert.pem'));
    const server = tls.createServer({ key, cert }, (socket) => socket.end('secret')).listen(0, '127.0.0.1');
    await events.once(server, 'listening');
    const client = tls.connect({ port: server.address().port, host: '127.0.0.1', servername: 'localhost', ca: cert });
    let text = '';
    for await (const piece of client) text += piece;
    server.close();
    return [text, client.authorized, client.authorizationError || null];
  },
  async lookup() {
    return await dns.promises.lookup('localhost', { family: 4 });
  },
  async wasm() {
    // (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
    if (typeof WebAssembly === 'undefined') return 'not without a compiler';
    const bytes = Buffer.from('0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b', 'hex');
    const { instance } = await WebAssembly.instantiate(bytes);
    return instance.exports.add(40, 2);
  },
  async hot() {
    // Long enough for the optimizing compiler.
    const f = (n) => (n < 2 ? n : f(n - 1) + f(n - 2));
    return f(24);
  },
};

async function check() {
  const lines = [];
  for (const name of Object.keys(checks).sort()) {
    try {
      const late = timers.setTimeout(60000, 0, { ref: false }).then(() => { throw new Error('no end in 60 s'); });
      lines.push(`${name}: ${JSON.stringify(await Promise.race([checks[name](), late]))}`);
    } catch (error) {
      lines.push(`${name}: FAILED ${error.stack}`);
    }
  }
  return lines.join('\n');
}

async function refused() {
  const lines = [];
  const attempts = {
    spawn: () => events.once(child_process.spawn('/bin/true'), 'exit'),
    execSync: () => child_process.execSync('true'),
    fork: () => events.once(child_process.fork(__filename), 'exit'),
  };
  for (const name of Object.keys(attempts)) {
    try {
      await attempts[name]();
      lines.push(`${name}: done`);
    } catch (error) {
      lines.push(`${name}: ${error.code}`);
    }
  }
  return lines.join('\n');
}

function answer(response, text, status = 200) {
  response.writeHead(status, { 'Content-Type': 'text/plain' });
  response.end(text + '\n');
}

const server = http.createServer(async (request, response) => {
  if (request.method === 'POST') {
    const sum = crypto.createHash('sha256');
    await stream.pipeline(request, sum);
    answer(response, sum.digest('hex'));
  } else if (request.url === '/hello') {
    answer(response, 'hello from Node.js');
  } else if (request.url === '/check') {
    answer(response, await check());
  } else if (request.url === '/refused') {
    answer(response, await refused());
  } else {
    answer(response, 'nothing here', 404);
  }
});
server.listen(port, () => console.log('ready'));
process.on('SIGTERM', () => {
  server.closeAllConnections();
  server.close(() => console.log('stopped'));
});
