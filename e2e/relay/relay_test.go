package relay_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/e2e/relay"
)

func TestASecretSplitOverTwoPacketsIsFoundAndStillDelivered(t *testing.T) {
	t.Parallel()
	server := serve(t, "hello swor", "dfish, bye")
	tap := listen(t, server, map[string]string{"password": "swordfish"})

	got := read(t, tap.Addr())
	if got != "hello swordfish, bye" {
		t.Errorf("delivered %q", got)
	}
	if finds := tap.Finds(); len(finds) != 1 || finds[0] != `password, after "hello "` {
		t.Errorf("finds = %q", finds)
	}
	if tap.Bytes() != 20 {
		t.Errorf("bytes = %d", tap.Bytes())
	}
}

func TestNothingIsFoundWhereNothingIsSecret(t *testing.T) {
	t.Parallel()
	tap := listen(t, serve(t, "hello sword", "and fish"), map[string]string{"password": "swordfish"})
	_ = read(t, tap.Addr())
	if finds := tap.Finds(); len(finds) != 0 {
		t.Errorf("finds = %q", finds)
	}
}

func TestAClosedValveHoldsAnswersUntilItOpens(t *testing.T) {
	t.Parallel()
	tap := listen(t, serve(t, "late"), nil)
	tap.Answers.Close()
	got := make(chan string)
	go func() { got <- read(t, tap.Addr()) }()
	select {
	case text := <-got:
		t.Errorf("%q passed a closed valve", text)
	case <-time.After(100 * time.Millisecond):
	}
	tap.Answers.Open()
	if text := <-got; text != "late" {
		t.Errorf("delivered %q", text)
	}
}

// serve answers each connection with the parts and closes it.
func serve(t *testing.T, parts ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			for _, p := range parts {
				_, _ = c.Write([]byte(p))
			}
			c.Close()
		}
	}()
	return l.Addr().String()
}

func listen(t *testing.T, target string, needles map[string]string) *relay.Relay {
	t.Helper()
	tap, err := relay.Listen(target, needles)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tap.Close)
	return tap
}

func read(t *testing.T, addr string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}
