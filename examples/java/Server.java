/*
 * A small web server in Java with the JDK's own com.sun.net.httpserver, and a page of checks of the library.
 *
 * GET /hello     a line of text
 * POST /sum      SHA-256 of the body
 * GET /check     what the library does here, a line for each part
 * GET /refused   what a machine of one process refuses
 */
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.RandomAccessFile;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

public class Server {
    static int port;
    static final Map<String, Callable<Object>> checks = new TreeMap<>();

    static Object checkThreads() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(8);
        AtomicLong sum = new AtomicLong();
        List<Future<?>> all = new ArrayList<>();
        for (int n = 0; n < 1000; n++) {
            long square = (long) n * n;
            all.add(pool.submit(() -> sum.addAndGet(square)));
        }
        for (Future<?> f : all) f.get();
        pool.shutdown();
        return sum + " " + pool.awaitTermination(10, TimeUnit.SECONDS);
    }

    static Object checkMonitor() throws Exception {
        Object lock = new Object();
        StringBuilder order = new StringBuilder();
        Thread t = new Thread(() -> {
            synchronized (lock) {
                order.append("b");
                lock.notifyAll();
            }
        });
        synchronized (lock) {
            order.append("a");
            t.start();
            while (order.length() < 2) lock.wait();
            order.append("c");
        }
        t.join();
        return order;
    }

    static Object checkParallel() {
        return LongStream.rangeClosed(1, 200000).parallel().filter(n -> n % 3 == 0).sum();
    }

    static Object checkScheduled() throws Exception {
        ScheduledExecutorService timer = Executors.newScheduledThreadPool(1);
        String answer = timer.schedule(() -> "in time", 30, TimeUnit.MILLISECONDS).get(10, TimeUnit.SECONDS);
        timer.shutdownNow();
        return answer;
    }

    /* More garbage than the heap holds. */
    static Object checkGarbage() {
        long kept = 0;
        for (int n = 0; n < 3000; n++) {
            byte[] piece = new byte[100000];
            piece[n % piece.length] = 1;
            kept += piece.length;
        }
        return kept;
    }

    /* The virtual machine finds these by signals. */
    static Object checkFaults() {
        StringBuilder out = new StringBuilder();
        Object nothing = checks.get("no such");
        try {
            nothing.hashCode();
        } catch (NullPointerException e) {
            out.append("null ");
        }
        try {
            depth(0);
        } catch (StackOverflowError e) {
            out.append("deep ");
        }
        try {
            out.append(1 / out.indexOf("n"));
        } catch (ArithmeticException e) {
            out.append("zero");
        }
        return out;
    }

    static int depth(int n) {
        return depth(n + 1) + 1;
    }

    static Object checkFiles() throws Exception {
        Path dir = Files.createTempDirectory("check");
        Path one = dir.resolve("one");
        Files.writeString(one, "line\n".repeat(1000));
        Files.createSymbolicLink(dir.resolve("two"), Path.of("one"));
        Files.copy(dir.resolve("two"), dir.resolve("three"));
        long lines;
        try (var stream = Files.lines(dir.resolve("three"))) {
            lines = stream.count();
        }
        String names;
        try (var list = Files.list(dir)) {
            names = list.map(p -> p.getFileName().toString()).sorted().collect(Collectors.joining(","));
        }
        for (String name : names.split(",")) Files.delete(dir.resolve(name));
        Files.delete(dir);
        return names + " " + lines + " " + Files.exists(dir);
    }

    static Object checkMapped() throws Exception {
        Path file = Files.createTempFile("map", null);
        try (FileChannel c = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            MappedByteBuffer map = c.map(FileChannel.MapMode.READ_WRITE, 0, 65536);
            for (int n = 0; n < 65536; n += 4) map.putInt(n, n);
            map.force();
            ByteBuffer four = ByteBuffer.allocate(4);
            c.read(four, 4096);
            four.flip();
            boolean locked = c.tryLock() != null;
            return four.getInt() + " " + c.size() + " " + locked;
        } finally {
            Files.delete(file);
        }
    }

    static Object checkSelector() throws Exception {
        try (Selector selector = Selector.open(); ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress("127.0.0.1", 0)).configureBlocking(false);
            server.register(selector, SelectionKey.OP_ACCEPT);
            InetSocketAddress address = (InetSocketAddress) server.getLocalAddress();
            CompletableFuture<String> client = CompletableFuture.supplyAsync(() -> {
                try (Socket s = new Socket(address.getAddress(), address.getPort())) {
                    s.getOutputStream().write("through a selector\n".getBytes());
                    return new BufferedReader(new InputStreamReader(s.getInputStream())).readLine();
                } catch (IOException e) {
                    return e.toString();
                }
            });
            while (!client.isDone()) {
                selector.select(100);
                for (SelectionKey key : selector.selectedKeys()) {
                    if (key.isAcceptable()) {
                        SocketChannel s = server.accept();
                        s.configureBlocking(false);
                        s.register(selector, SelectionKey.OP_READ, ByteBuffer.allocate(100));
                    } else {
                        SocketChannel s = (SocketChannel) key.channel();
                        ByteBuffer b = (ByteBuffer) key.attachment();
                        if (s.read(b) < 0) {
                            s.close();
                            continue;
                        }
                        b.flip();
                        s.write(b);
                        b.compact();
                    }
                }
                selector.selectedKeys().clear();
            }
            return client.get();
        }
    }

    static Object checkDatagram() throws Exception {
        try (DatagramSocket a = new DatagramSocket(0, InetAddress.getByName("127.0.0.1")); DatagramSocket b = new DatagramSocket()) {
            byte[] text = "datagram".getBytes();
            a.setSoTimeout(10000);
            b.send(new DatagramPacket(text, text.length, a.getLocalSocketAddress()));
            DatagramPacket got = new DatagramPacket(new byte[100], 100);
            a.receive(got);
            return new String(got.getData(), 0, got.getLength());
        }
    }

    static Object checkClient() throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/hello")).build();
        HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
        return answer.statusCode() + " " + answer.body().trim();
    }

    static Object checkTimeout() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
            server.setSoTimeout(50);
            server.accept();
            return "accepted";
        } catch (java.net.SocketTimeoutException e) {
            return "timed out";
        }
    }

    static Object checkLoopback() throws Exception {
        return Collections.list(NetworkInterface.getNetworkInterfaces()).stream().filter(i -> {
            try {
                return i.isLoopback();
            } catch (IOException e) {
                return false;
            }
        }).map(NetworkInterface::getName).collect(Collectors.joining(","));
    }

    static Object checkDigest() throws Exception {
        byte[] random = new byte[16];
        java.security.SecureRandom.getInstanceStrong().nextBytes(random);
        return sum(new java.io.ByteArrayInputStream("abc".getBytes())) + " " + random.length;
    }

    static Object checkZip() throws Exception {
        var out = new java.io.ByteArrayOutputStream();
        try (var zip = new java.util.zip.GZIPOutputStream(out)) {
            zip.write("text ".repeat(1000).getBytes());
        }
        try (var in = new java.util.zip.GZIPInputStream(new java.io.ByteArrayInputStream(out.toByteArray()))) {
            return in.readAllBytes().length;
        }
    }

    static String sum(InputStream in) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        byte[] piece = new byte[65536];
        for (int n; (n = in.read(piece)) >= 0; ) digest.update(piece, 0, n);
        return HexFormat.of().formatHex(digest.digest());
    }

    static String checkAll() {
        StringBuilder out = new StringBuilder();
        for (var check : checks.entrySet()) {
            out.append(check.getKey()).append(": ");
            try {
                out.append(check.getValue().call());
            } catch (Throwable e) {
                out.append("FAILED ").append(e);
            }
            out.append("\n");
        }
        return out.toString();
    }

    static String refused() {
        try {
            return "exec: " + new ProcessBuilder("/bin/true").start().waitFor();
        } catch (Exception e) {
            return "exec: " + e.getMessage();
        }
    }

    static void answer(HttpExchange exchange, String text) throws IOException {
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(200, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    public static void main(String[] args) throws Exception {
        port = args.length > 0 ? Integer.parseInt(args[0]) : 8080;
        checks.put("threads", Server::checkThreads);
        checks.put("monitor", Server::checkMonitor);
        checks.put("parallel", Server::checkParallel);
        checks.put("scheduled", Server::checkScheduled);
        checks.put("garbage", Server::checkGarbage);
        checks.put("faults", Server::checkFaults);
        checks.put("files", Server::checkFiles);
        checks.put("mapped", Server::checkMapped);
        checks.put("selector", Server::checkSelector);
        checks.put("datagram", Server::checkDatagram);
        checks.put("client", Server::checkClient);
        checks.put("timeout", Server::checkTimeout);
        checks.put("loopback", Server::checkLoopback);
        checks.put("digest", Server::checkDigest);
        checks.put("zip", Server::checkZip);

        HttpServer server = HttpServer.create(new InetSocketAddress(port), 0);
        server.createContext("/hello", e -> answer(e, "hello from Java\n"));
        server.createContext("/check", e -> answer(e, checkAll()));
        server.createContext("/refused", e -> answer(e, refused() + "\n"));
        server.createContext("/sum", e -> {
            try {
                answer(e, sum(e.getRequestBody()) + "\n");
            } catch (Exception x) {
                throw new IOException(x);
            }
        });
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.start();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            server.stop(0);
            System.out.println("stopped");
        }));
        System.out.println("ready");
    }
}
