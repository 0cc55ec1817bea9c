package bench_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

// everybody lets everybody in, to measure all but that.
type everybody struct{ caller access.Caller }

func (e everybody) Identify(*http.Request) (access.Caller, error) { return e.caller, nil }

func (e everybody) Resolve(context.Context, access.Credential, string) (access.Caller, error) {
	return e.caller, nil
}

func (e everybody) Known(id uuid.UUID) (access.Object, bool) {
	return access.Object{ID: id, Team: e.caller.Principal.CurrentTeam, State: access.StateLive}, true
}

func (e everybody) Find(_ context.Context, id uuid.UUID) (access.Object, error) {
	o, _ := e.Known(id)
	return o, nil
}

func (everybody) Subscribe(func(postgres.Event)) {}
func (everybody) Fresh() bool                    { return true }

// classifier is an engine with the whole table, whose operations do nothing.
func classifier(b *testing.B, gate proxy.Gate, objects proxy.Objects) *proxy.Engine {
	b.Helper()
	operations := agentserver.Routes()
	for i := range operations {
		if !operations[i].WebSocket {
			operations[i].Handle = func(*proxy.Exchange) error { return nil }
		}
	}
	at, _ := url.Parse("http://127.0.0.1:9")
	engine, err := proxy.New(proxy.Config{
		Upstream: at, Key: upstreamKey, Operations: operations, Gate: gate, Objects: objects, Events: everybody{},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(engine.Close)
	return engine
}

// nowhere is a response writer that costs nothing.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) WriteHeader(int)             {}
func (n nowhere) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkClassify is a request's way through an engine that lets everybody in and does nothing: parse, match, count shares.
func BenchmarkClassify(b *testing.B) {
	team := uuid.New()
	all := everybody{access.Caller{
		Principal: &access.Principal{
			User: uuid.New(), CurrentTeam: team, Memberships: []access.Membership{{Team: team, Role: access.Owner}},
		},
		Credential: access.Credential{Form: access.FormBearer},
	}}
	engine := classifier(b, all, all)
	id := uuid.NewString()
	for name, target := range map[string]string{
		"list":      "/api/conversations/search?limit=20",
		"events":    "/api/conversations/" + id + "/events/search?limit=50&sort_order=TIMESTAMP_DESC",
		"hexid":     "/api/conversations/" + strings.ReplaceAll(id, "-", "") + "/events/count",
		"workspace": "/api/conversations/" + id + "/workspace/a/long/way/down/to/index.html",
		"unknown":   "/api/nothing/of/this/name",
	} {
		b.Run(name, func(b *testing.B) { handle(b, engine, httptest.NewRequest("GET", target, nil)) })
	}
}

func handle(b *testing.B, h http.Handler, r *http.Request) {
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(nowhere{http.Header{}}, r)
	}
}

// BenchmarkAuthorise is who is asking and whether they may, when all of that is remembered; and the same within a request.
func BenchmarkAuthorise(b *testing.B) {
	s := newStand(b)
	r := httptest.NewRequest("GET", "/api/conversations/"+s.ids[0].String()+"/events/search?limit=50", nil)
	r.Header.Set("Authorization", "Bearer "+s.token)
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			caller, err := s.gate.Identify(r)
			if err != nil {
				b.Fatal(err)
			}
			object, err := s.conversations.Find(r.Context(), s.ids[0])
			if err != nil || caller.Principal.On(object, access.ConversationRead) != nil {
				b.Fatal("not allowed", err)
			}
		}
	})
	engine := classifier(b, s.gate, s.conversations)
	b.Run("request", func(b *testing.B) { handle(b, engine, r) })
}

// BenchmarkListPage is a page of a team's conversations among a hundred thousand, with real queries and an upstream that answers
// at once.
func BenchmarkListPage(b *testing.B) {
	s := newStand(b)
	for _, limit := range []string{"20", "50"} {
		r := httptest.NewRequest("GET", "/api/conversations/search?limit="+limit, nil)
		r.Header.Set("Authorization", "Bearer "+s.token)
		b.Run(limit, func(b *testing.B) { handle(b, s.engine, r) })
	}
}

// BenchmarkPass is what a request costs in processor time on its way through the product, beside a bare proxy that knows no
// accounts. Both are processes of their own and take turns. One iteration is one pair of turns. A large answer shows what masking
// costs, and a narrowed one what reading it does.
func BenchmarkPass(b *testing.B) {
	s := newStand(b)
	ours, bare := startSide(b, sideProduct, s.upstream.URL, s.database), startSide(b, sideBare, s.upstream.URL, "")
	talk := "/api/conversations/" + s.ids[0].String()
	for _, c := range []struct {
		name, path string
		requests   int
	}{
		{"2KiB", passed, 2000},
		{"1MiB", passed + "?limit=100", 60},
		{"2KiB-narrowed", narrowed + "?limit=10", 2000},
		{"1MiB-narrowed", narrowed + "?limit=100", 60},
	} {
		b.Run(c.name, func(b *testing.B) {
			turn := func(at *side) int64 { return s.turn(b, at, talk+c.path, c.requests) }
			turn(ours)
			turn(bare)
			var costs, ratios []float64
			for b.Loop() {
				first, second := float64(turn(ours)), float64(turn(bare))
				costs, ratios = append(costs, first/float64(c.requests)), append(ratios, first/second)
			}
			b.ReportMetric(median(costs)/1000, "cpu-µs/request")
			b.ReportMetric(median(costs)/median(ratios)/1000, "bare-cpu-µs/request")
			b.ReportMetric(median(ratios), "ratio")
		})
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// turn sends requests to one side, eight at a time, and returns the processor time that the side has used for them.
func (s *stand) turn(b *testing.B, at *side, path string, requests int) int64 {
	b.Helper()
	const workers = 8
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers, DisableCompression: true}}
	defer client.CloseIdleConnections()
	before := at.cpu()
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for n := w; n < requests; n += workers {
				s.pass(b, client, at.url+path)
			}
		})
	}
	all.Wait()
	return at.cpu() - before
}

func (s *stand) pass(b *testing.B, client *http.Client, address string) {
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		b.Error(err)
		return
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	res, err := client.Do(r)
	if err != nil {
		b.Error(err)
		return
	}
	defer func() { _ = res.Body.Close() }()
	if n, err := io.Copy(io.Discard, res.Body); err != nil || n != int64(len(small)) && n != int64(len(large)) {
		b.Errorf("status %d, %d bytes: %v", res.StatusCode, n, err)
	}
}

// BenchmarkIdleSockets is what two thousand WebSockets cost that say nothing. Clients and upstream are elsewhere.
func BenchmarkIdleSockets(b *testing.B) {
	const sockets = 2000
	s := newStand(b)
	for b.Loop() {
		ours := startSide(b, sideProduct, s.upstream.URL, s.database)
		s.turn(b, ours, "/api/conversations/"+s.ids[0].String()+passed, 100)
		before := ours.memory()
		clients := make([]net.Conn, sockets)
		for n := range clients {
			clients[n] = s.open(b, ours, s.ids[n%len(s.ids)])
		}
		after := ours.memory()
		b.ReportMetric(float64(after.Heap-before.Heap)/1024/sockets, "KiB/socket")
		b.ReportMetric(float64(after.Resident-before.Resident)/1024/sockets, "resident-KiB/socket")
		for _, c := range clients {
			_ = c.Close()
		}
	}
}

func (s *stand) open(b *testing.B, at *side, id uuid.UUID) net.Conn {
	b.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(at.url, "http://"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	_, _ = io.WriteString(conn, "GET /sockets/events/"+id.String()+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+s.token+
		"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		b.Fatalf("no socket: %v, %v", res, err)
	}
	return conn
}
