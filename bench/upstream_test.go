package bench_test

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// upstream answers at once and does nothing for it: events, batches of conversations, and WebSockets that say nothing.
type upstream struct {
	*httptest.Server
	mu      sync.Mutex
	sockets []net.Conn
}

// small and large are answers as the agent-server gives them: a page of events.
var (
	small = []byte(`{"items":[` + strings.Repeat(event+",", 8) + event + `],"next_page_id":null}`)
	large = []byte(`{"items":[` + strings.Repeat(event+",", 4000) + event + `],"next_page_id":null}`)
)

const event = `{"id":"11111111-2222-4333-8444-55555555aaaa","timestamp":"2026-01-02T03:04:05.678901","source":"agent","kind":"MessageEvent",` +
	`"llm_message":{"role":"assistant","content":[{"type":"text","text":"I looked at the files and ran the tests. All of them pass."}]}}`

func newUpstream(b *testing.B) *upstream {
	u := &upstream{}
	mux := http.NewServeMux()
	for _, path := range []string{passed, narrowed} {
		mux.HandleFunc("GET /api/conversations/{id}"+path, page)
	}
	mux.HandleFunc("GET /api/conversations", u.batch)
	mux.HandleFunc("GET /sockets/events/{id}", u.socket)
	u.Server = httptest.NewServer(mux)
	b.Cleanup(func() {
		u.CloseClientConnections()
		u.Close()
		for _, c := range u.sockets {
			_ = c.Close()
		}
	})
	return u
}

// The paths of an answer that the product hands on as it is, but for its keys, and of one that it reads.
const (
	passed   = "/agent_final_response"
	narrowed = "/events/search"
)

// page is small unless the client asks for many.
func page(w http.ResponseWriter, r *http.Request) {
	body := small
	if r.URL.Query().Get("limit") == "100" {
		body = large
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

func (u *upstream) batch(w http.ResponseWriter, r *http.Request) {
	items := []any{}
	for _, id := range r.URL.Query()["ids"] {
		items = append(items, map[string]any{
			"id": id, "title": "A conversation", "workspace": map[string]any{"working_dir": "/srv/ws/x"}, "execution_status": "idle",
			"sub_conversation_ids": []any{}, "agent": map[string]any{"llm": map[string]any{"model": "openai/house"}},
			"created_at": "2025-01-02T03:04:05.678901Z", "updated_at": "2025-01-02T03:04:05.678901Z",
		})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(items)
}

func (u *upstream) socket(w http.ResponseWriter, r *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+
		base64.StdEncoding.EncodeToString(sum[:])+"\r\n\r\n")
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sockets = append(u.sockets, conn)
}
