// A small web server in Go, and a page of checks of the runtime and the standard library.
//
//	GET /hello     a line of text
//	POST /sum      SHA-256 of the body
//	GET /check     what the standard library does here, a line for each part
//	GET /refused   what a machine of one process refuses
//	GET /dns/NAME  the addresses of a name, by Go's resolver or the C library's (GODEBUG=netdns=go|cgo)
package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var port = "8080"

func checkGoroutines() (any, error) {
	var wg sync.WaitGroup
	var sum int64
	for i := 0; i < 10000; i++ {
		wg.Add(1)
		go func(i int64) {
			defer wg.Done()
			runtime.Gosched()
			atomic.AddInt64(&sum, i)
		}(int64(i))
	}
	wg.Wait()
	return sum, nil
}

// A ring of channels across the processors.
func checkChannels() (any, error) {
	first := make(chan int)
	in := first
	for i := 0; i < 100; i++ {
		out := make(chan int)
		go func(in, out chan int) {
			for n := range in {
				out <- n + 1
			}
			close(out)
		}(in, out)
		in = out
	}
	sum := 0
	go func() {
		for n := 0; n < 100; n++ {
			first <- n
		}
		close(first)
	}()
	for n := range in {
		sum += n
	}
	return sum, nil
}

// A loop without calls is left by a signal (SIGURG) when the collector stops the world.
func checkPreemption() (any, error) {
	var stop int32
	left := make(chan bool)
	go func() {
		for atomic.LoadInt32(&stop) == 0 {
		}
		left <- true
	}()
	time.Sleep(20 * time.Millisecond)
	runtime.GC()
	atomic.StoreInt32(&stop, 1)
	return <-left, nil
}

func checkGarbage() (any, error) {
	keep := map[int][]byte{}
	for i := 0; i < 30000; i++ {
		keep[i%100] = make([]byte, 4096)
	}
	runtime.GC()
	return len(keep), nil
}

// Each timer is a goroutine's own: on a busy host two may end in one go, in any order, but none before its time.
func checkTimers() (any, error) {
	began, fired := time.Now(), make(chan string, 3)
	for _, ms := range []time.Duration{300, 100, 200} {
		wait := ms * time.Millisecond
		time.AfterFunc(wait, func() { fired <- fmt.Sprint(wait, " early: ", time.Since(began) < wait) })
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	<-ctx.Done()
	all := []string{<-fired, <-fired, <-fired}
	sort.Strings(all)
	return fmt.Sprint(strings.Join(all, ", "), "; ", ctx.Err()), nil
}

func checkPanic() (answer any, err error) {
	defer func() { answer = fmt.Sprint(recover()) }()
	var nothing *http.Server
	return nothing.Addr, nil
}

func checkFiles() (any, error) {
	dir, err := os.MkdirTemp("", "check")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	one := filepath.Join(dir, "one")
	if err := os.WriteFile(one, []byte(strings.Repeat("line\n", 1000)), 0600); err != nil {
		return nil, err
	}
	if err := os.Symlink("one", filepath.Join(dir, "two")); err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(dir, "d"), 0700); err != nil {
		return nil, err
	}
	var names []string
	err = filepath.Walk(dir, func(p string, info os.FileInfo, err error) error {
		names = append(names, info.Name()+":"+info.Mode().String()[:1])
		return err
	})
	names[0] = "top"
	data, err2 := os.ReadFile(filepath.Join(dir, "two"))
	return fmt.Sprint(names, len(data), err, err2), nil
}

func checkUnix() (any, error) {
	path := filepath.Join(os.TempDir(), "check.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err == nil {
			io.WriteString(c, "from a unix socket")
			c.Close()
		}
	}()
	c, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	text, err := io.ReadAll(c)
	return string(text), err
}

func checkUDP() (any, error) {
	a, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer a.Close()
	b, err := net.Dial("udp4", a.LocalAddr().String())
	if err != nil {
		return nil, err
	}
	defer b.Close()
	fmt.Fprint(b, "datagram")
	buf := make([]byte, 100)
	n, _, err := a.ReadFrom(buf)
	return string(buf[:n]), err
}

func checkDeadline() (any, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_, err = c.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded), nil
}

func checkRefusedPort() (any, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l.Close()
	_, err = net.Dial("tcp4", l.Addr().String())
	return errors.Is(err, syscall.ECONNREFUSED), nil
}

func certificate() (tls.Certificate, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "check"}, DNSNames: []string{"check.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool, nil
}

// HTTP/2 over TLS, both ends here.
func checkTLS() (any, error) {
	cert, pool, err := certificate()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}},
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }),
	}
	go server.ServeTLS(l, "", "")
	defer server.Close()
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "check.test"}}}
	answer, err := client.Get("https://" + l.Addr().String())
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return fmt.Sprint(string(text), " ", answer.TLS.Version == tls.VersionTLS13), err
}

func checkInterfaces() (any, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, i := range list {
		if i.Flags&net.FlagLoopback == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, err
		}
		for _, a := range addrs {
			if a.(*net.IPNet).IP.To4() != nil {
				return fmt.Sprint(i.Name, " ", i.Flags&net.FlagUp != 0, " ", a), nil
			}
		}
	}
	return nil, errors.New("no loopback")
}

func checkLocalhost() (any, error) {
	addrs, err := net.DefaultResolver.LookupIP(context.Background(), "ip4", "localhost")
	return fmt.Sprint(addrs), err
}

func checkSelf() (any, error) {
	answer, err := http.Get("http://127.0.0.1:" + port + "/hello")
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	line, err := bufio.NewReader(answer.Body).ReadString('\n')
	return strings.TrimSpace(line), err
}

func checkSignal() (any, error) {
	seen := make(chan os.Signal, 1)
	signal.Notify(seen, syscall.SIGUSR1)
	defer signal.Stop(seen)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	return (<-seen).String(), nil
}

var checks = map[string]func() (any, error){
	"goroutines": checkGoroutines, "channels": checkChannels, "preemption": checkPreemption, "garbage": checkGarbage,
	"timers": checkTimers, "panic": checkPanic, "files": checkFiles, "unix": checkUnix, "udp": checkUDP,
	"deadline": checkDeadline, "refused": checkRefusedPort, "tls": checkTLS, "interfaces": checkInterfaces,
	"localhost": checkLocalhost, "self": checkSelf, "signal": checkSignal,
}

func check(w http.ResponseWriter, r *http.Request) {
	var names []string
	for name := range checks {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		answer, err := checks[name]()
		if err != nil {
			answer = "FAILED " + err.Error()
		}
		fmt.Fprintf(w, "%s: %v\n", name, answer)
	}
}

func refused(w http.ResponseWriter, r *http.Request) {
	err := exec.Command("/bin/true").Run()
	fmt.Fprintf(w, "exec: %v\n", err)
}

func lookup(w http.ResponseWriter, r *http.Request) {
	addrs, err := net.DefaultResolver.LookupIP(r.Context(), "ip4", strings.TrimPrefix(r.URL.Path, "/dns/"))
	if err != nil {
		fmt.Fprintln(w, err)
		return
	}
	fmt.Fprintln(w, addrs)
}

func sum(w http.ResponseWriter, r *http.Request) {
	h := sha256.New()
	if _, err := io.Copy(h, r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%x\n", h.Sum(nil))
}

func main() {
	if len(os.Args) > 1 {
		port = os.Args[1]
	}
	http.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello from Go") })
	http.HandleFunc("/sum", sum)
	http.HandleFunc("/check", check)
	http.HandleFunc("/refused", refused)
	http.HandleFunc("/dns/", lookup)
	server := &http.Server{Addr: ":" + port}
	done := make(chan os.Signal, 1)
	signal.Notify(done, syscall.SIGTERM, os.Interrupt)
	go func() {
		<-done
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		server.Shutdown(ctx)
	}()
	fmt.Println("ready")
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("stopped")
}
