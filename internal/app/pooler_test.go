package app_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/app"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// pooler passes everything on but notifications: what a pooler in transaction mode amounts to. It returns its own URL.
func pooler(t *testing.T, database string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	socket := query.Get("host") + "/.s.PGSQL." + query.Get("port")
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = front.Close() })
	go func() {
		for {
			client, err := front.Accept()
			if err != nil {
				return
			}
			go pool(client, socket)
		}
	}()
	host, port, _ := net.SplitHostPort(front.Addr().String())
	query.Set("host", host)
	query.Set("port", port)
	u.RawQuery = query.Encode()
	return u.String()
}

func pool(client net.Conn, socket string) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	in := bufio.NewReader(server)
	for {
		head := make([]byte, 5) // a kind and a length that counts itself
		if _, err := io.ReadFull(in, head); err != nil {
			return
		}
		message := make([]byte, 5+binary.BigEndian.Uint32(head[1:])-4)
		copy(message, head)
		if _, err := io.ReadFull(in, message[5:]); err != nil {
			return
		}
		if head[0] == 'A' { // NotificationResponse
			continue
		}
		if _, err := client.Write(message); err != nil {
			return
		}
	}
}

func TestAStartBehindATransactionPoolerSaysToConnectDirectly(t *testing.T) {
	t.Parallel()
	cfg := settings(t, pooler(t, dbtest.URL(t)), newUpstream(t))
	why := refused(t, cfg, app.Options{DatabaseWait: time.Second})
	if !strings.Contains(why, "no heartbeat came back") || !strings.Contains(why, "connect directly, not through a pooler in transaction mode") {
		t.Errorf("the reason does not say what to do: %s", why)
	}
}
