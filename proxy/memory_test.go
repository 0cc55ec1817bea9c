package proxy_test

import (
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/testtime"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// idle is an upstream that accepts WebSockets and keeps nothing but their connections.
func idle(keep *[]net.Conn, mu *sync.Mutex) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+
			proxy.AcceptKey(r.Header.Get("Sec-WebSocket-Key"))+"\r\n\r\n")
		mu.Lock()
		*keep = append(*keep, conn)
		mu.Unlock()
	}
}

// The bound counts both peers' connections too, as they live in this process.
func TestAnIdleWebSocketCostsLittleMemory(t *testing.T) {
	const count, bound = 400, 35 << 10
	var mu sync.Mutex
	var kept []net.Conn
	s := newStand(t, idle(&kept, &mu), unlimited)
	clients := make([]net.Conn, 0, count)
	before := memory()
	for range count {
		c := raw(t, s)
		clients = append(clients, c.Conn)
	}
	testtime.Eventually(t, 10*time.Second, "all are joined", func() bool { return s.engine.Live().Len() == count })
	each := (memory() - before) / count
	t.Logf("%d bytes for each", each)
	if each > bound {
		t.Errorf("an idle WebSocket costs %d bytes, more than %d", each, bound)
	}
	runtime.KeepAlive(clients)
}

func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
