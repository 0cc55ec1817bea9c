package e2e_test

import (
	"io"
	"net"
	"net/url"
	"testing"
	"time"
)

// slowUpstream is a way to the upstream on which long answers take their time: after the first MiB, 80 KiB come in a second. A download
// over it lasts, without filling anybody's buffers.
func slowUpstream(t *testing.T) string {
	t.Helper()
	address, err := url.Parse(world.upstream.URL())
	if err != nil {
		t.Fatal(err)
	}
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
			go trickle(client, address.Host)
		}
	}()
	return "http://" + front.Addr().String()
}

func trickle(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	if _, err := io.CopyN(client, server, 1<<20); err != nil {
		return
	}
	pace := time.NewTicker(50 * time.Millisecond)
	defer pace.Stop()
	for {
		if _, err := io.CopyN(client, server, 4<<10); err != nil {
			return
		}
		<-pace.C
	}
}
