package bench_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/openhands-saas/openhands-saas/internal/argon"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// The environment of a process that is measured.
const (
	sideVariable     = "BENCH_SIDE"
	upstreamVariable = "BENCH_UPSTREAM"
	databaseVariable = "BENCH_DATABASE"
)

// hashWord is the argument of the process that hashes passwords for a side.
const hashWord = "hash-passwords"

// The sides: the product's proxy, and the least that a proxy can be.
const (
	sideProduct = "product"
	sideBare    = "bare"
	sideWithin  = "within" // the product, with passwords hashed in its own process
)

// side is a process that is measured. It answers on url, and tells over its standard input and output what it has used.
type side struct {
	b       *testing.B
	url     string
	command *exec.Cmd
	ask     io.WriteCloser
	answers *bufio.Scanner
}

func startSide(b *testing.B, name, upstream, database string) *side {
	b.Helper()
	s := &side{b: b, command: exec.Command(os.Args[0])}
	s.command.Env = append(os.Environ(), sideVariable+"="+name, upstreamVariable+"="+upstream, databaseVariable+"="+database)
	s.command.Stderr = os.Stderr
	var err error
	if s.ask, err = s.command.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	out, err := s.command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := s.command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = s.ask.Close() // that ends it
		_ = s.command.Wait()
	})
	s.answers = bufio.NewScanner(out)
	s.url = s.line()
	return s
}

func (s *side) line() string {
	s.b.Helper()
	if !s.answers.Scan() {
		s.b.Fatalf("the measured process ended: %v", s.answers.Err())
	}
	return s.answers.Text()
}

// usage is what a side says of itself.
type usage struct {
	CPU      int64 // nanoseconds of processor time so far
	Heap     int64 // bytes of heap and stacks in use, after a collection
	Resident int64 // bytes that the system gave it
}

func (s *side) usage(word string) (u usage) {
	s.b.Helper()
	if _, err := fmt.Fprintln(s.ask, word); err != nil {
		s.b.Fatal(err)
	}
	if _, err := fmt.Sscan(s.line(), &u.CPU, &u.Heap, &u.Resident); err != nil {
		s.b.Fatal(err)
	}
	return u
}

func (s *side) cpu() int64    { return s.usage("cpu").CPU }
func (s *side) memory() usage { return s.usage("memory") }

// serveSide is the whole life of a measured process: until its standard input ends.
func serveSide(name string) error {
	handler, err := handlerOf(name)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = (&http.Server{Handler: handler}).Serve(listener) }()
	fmt.Println("http://" + listener.Addr().String())
	for asked := bufio.NewScanner(os.Stdin); asked.Scan(); {
		u := ownUsage(asked.Text() == "memory")
		fmt.Println(u.CPU, u.Heap, u.Resident)
	}
	return nil
}

func ownUsage(collect bool) (u usage) {
	if collect {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		u.Heap, u.Resident = int64(m.HeapInuse+m.StackInuse), resident()
	}
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	u.CPU = used.Utime.Nano() + used.Stime.Nano()
	return u
}

// resident is zero where the system does not tell.
func resident() (bytes int64) {
	status, _ := os.ReadFile("/proc/self/status")
	if _, rest, found := strings.Cut(string(status), "VmRSS:"); found {
		_, _ = fmt.Sscan(rest, &bytes)
	}
	return bytes << 10
}

func handlerOf(name string) (http.Handler, error) {
	upstream, err := url.Parse(os.Getenv(upstreamVariable))
	if err != nil {
		return nil, err
	}
	if name == sideBare {
		return bareProxy(upstream), nil
	}
	ctx := context.Background()
	db, err := postgres.Open(ctx, postgres.Config{URL: os.Getenv(databaseVariable)})
	if err != nil {
		return nil, err
	}
	if err := db.Listen(ctx); err != nil {
		return nil, err
	}
	var hashes argon.Maker = argon.Here{}
	if name == sideProduct {
		hashes = argon.NewProcess(slog.Default(), os.Args[0], hashWord) // ends with this process
	}
	p, err := compose(db, upstream, hashes)
	if err != nil {
		return nil, err
	}
	return withLogins(p), nil
}

// bareProxy is tuned like ours: connections are kept, buffers are reused, nothing is unpacked.
func bareProxy(upstream *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite:    func(r *httputil.ProxyRequest) { r.SetURL(upstream) },
		Transport:  &http.Transport{MaxIdleConns: 512, MaxIdleConnsPerHost: 256, DisableCompression: true},
		BufferPool: &buffers{sync.Pool{New: func() any { return new([32 << 10]byte) }}},
	}
}

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte  { return b.pool.Get().(*[32 << 10]byte)[:] }
func (b *buffers) Put(p []byte) { b.pool.Put((*[32 << 10]byte)(p)) }
