package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

func operated(cfg *config.Config) { cfg.AdminListen = "127.0.0.1:0" }

// operators is the same program, asked at its admin listener.
func (s *site) operators() *site {
	return &site{t: s.t, app: s.app, url: "http://" + s.app.AdminAddr().String(), logs: s.logs}
}

// decoded reads a body of the admin listener.
func decoded[T any](t *testing.T, a answer) T {
	t.Helper()
	var body T
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || a.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("not JSON: %v in %s %q", err, a.Header.Get("Content-Type"), a.body)
	}
	return body
}

type verbose struct {
	Status string
	Checks []struct {
		Name, State, Detail string
		Required            bool
	}
}

// states are the checks in short.
func (v verbose) states() string {
	var all []string
	for _, c := range v.Checks {
		all = append(all, c.Name+" "+c.State)
	}
	return strings.Join(all, ", ")
}

func TestThereIsNoAdminListenerUnlessOneIsAskedFor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if at := s.app.AdminAddr(); at != nil {
		t.Errorf("it listens on %s", at)
	}
	for _, path := range []string{"/upstream", "/metrics"} {
		s.do("GET", path, "").want(t, path+" on the main listener", http.StatusNotFound, notFound)
	}
	if res := s.do("GET", "/readyz?verbose", ""); res.body != "{\"status\":\"ready\"}\n" {
		t.Errorf("the main listener gives details: %s", res.body)
	}
}

func TestTheAdminListenerSaysWhatServingRestsOn(t *testing.T) {
	t.Parallel()
	s := newSite(t, operated)
	o := s.operators()
	if res := o.do("GET", "/healthz", ""); res.StatusCode != http.StatusOK || decoded[map[string]string](t, res)["status"] != "ok" {
		t.Errorf("health: %d %s", res.StatusCode, res.body)
	}
	if res := o.do("GET", "/readyz", ""); res.StatusCode != http.StatusOK || strings.Contains(res.body, "checks") {
		t.Errorf("bare readiness: %d %s", res.StatusCode, res.body)
	}
	until(t, "all checks are well", func() bool {
		res := o.do("GET", "/readyz?verbose", "")
		return res.StatusCode == http.StatusOK && decoded[verbose](t, res).states() == "database ok, migrations ok, notifications ok, upstream ok"
	})
	if !s.logs.has("serving operators") || s.logs.has("OPEN TO OTHER MACHINES") {
		t.Error("the log does not say where operators are served, or warns of nothing")
	}
}

func TestTheAdminListenerNamesTheCheckThatFails(t *testing.T) {
	t.Parallel()
	cluster, u := dbtest.NewCluster(t), newUpstream(t)
	s := open(t, settings(t, cluster.URL(), u, operated), app.Options{})
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- s.app.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ran, s.app.Close()); err != nil {
			t.Log("connections that were cut did not end in order:", err)
		}
	})
	o := s.operators()
	u.Close()
	until(t, "the upstream is missed", func() bool {
		res := o.do("GET", "/readyz?verbose", "")
		return res.StatusCode == http.StatusOK && strings.HasSuffix(decoded[verbose](t, res).states(), "upstream failed")
	})
	if err := cluster.Stop(); err != nil {
		t.Fatal(err)
	}
	until(t, "the database is missed", func() bool {
		res := o.do("GET", "/readyz?verbose", "")
		v := decoded[verbose](t, res)
		return res.StatusCode == http.StatusServiceUnavailable && v.Status == "not ready" && v.Checks[0].Required && v.Checks[0].Detail != "" &&
			v.states() == "database failed, migrations unknown, notifications failed, upstream failed"
	})
	if res := o.do("GET", "/readyz", ""); res.StatusCode != http.StatusServiceUnavailable || decoded[map[string]string](t, res)["status"] != "not ready" {
		t.Errorf("bare readiness: %d %s", res.StatusCode, res.body)
	}
}

func TestAMigrationThatIsTakenBackBesideAServerShows(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	s := serve(t, settings(t, url, newUpstream(t), operated), app.Options{})
	db, err := postgres.Open(t.Context(), postgres.Config{URL: url, MaxOpen: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := postgres.MigrateDown(t.Context(), db, 1); err != nil {
		t.Fatal(err)
	}
	v := decoded[verbose](t, s.operators().do("GET", "/readyz?verbose", ""))
	if !strings.Contains(v.states(), "migrations failed") || !strings.Contains(v.Checks[1].Detail, "1 pending") {
		t.Errorf("%+v", v)
	}
}

func TestTheAdminListenerOnlyReadsAndOnlyForThisMachine(t *testing.T) {
	t.Parallel()
	o := newSite(t, operated, func(cfg *config.Config) { cfg.PublicURL = "https://agents.example.com" }).operators()
	for _, path := range []string{"/healthz", "/readyz", "/upstream"} {
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH"} {
			if res := o.do(method, path, ""); res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %d %q", method, path, res.StatusCode, res.Header.Get("Allow"))
			}
		}
		if res := o.do("HEAD", path, ""); res.StatusCode != http.StatusOK || res.body != "" {
			t.Errorf("HEAD %s: %d %q", path, res.StatusCode, res.body)
		}
		for _, host := range []string{"rebound.example:9091", "localhost.evil.example", "127.0.0.1.evil.example"} {
			if res := o.do("GET", path, "", "Host: "+host); res.StatusCode != http.StatusMisdirectedRequest {
				t.Errorf("%s on %s: %d %s", path, host, res.StatusCode, res.body)
			}
		}
		if res := o.do("GET", path, "", "Host: localhost:9091"); res.StatusCode != http.StatusOK {
			t.Errorf("%s on localhost: %d %s", path, res.StatusCode, res.body)
		}
	}
	for _, path := range []string{"/", "/upstream/", "//upstream", "/%75pstream", "/api/teams/", "/account/login", "/debug/pprof/", "/metrics"} {
		o.do("GET", path, "").want(t, path, http.StatusNotFound, notFound)
	}
}

func TestAnAdminListenerThatOtherMachinesReachIsWarnedOf(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(cfg *config.Config) { cfg.AdminListen = "0.0.0.0:0" })
	until(t, "the log warns", func() bool { return s.logs.has("ADMIN_LISTEN IS OPEN TO OTHER MACHINES") })
	_, port, _ := net.SplitHostPort(s.app.AdminAddr().String())
	o := &site{t: t, url: "http://127.0.0.1:" + port}
	if res := o.do("GET", "/readyz", "", "Host: openhands-saas.internal:9091"); res.StatusCode != http.StatusOK {
		t.Errorf("by a name of the network: %d %s", res.StatusCode, res.body)
	}
}

func TestAnAdminAddressThatIsTakenStopsTheStartAndFreesThePort(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	cfg := settings(t, dbtest.URL(t), newUpstream(t), func(cfg *config.Config) { cfg.AdminListen = taken.Addr().String() })
	if why := refused(t, cfg, app.Options{}); !strings.Contains(why, "set ADMIN_LISTEN to a free one") {
		t.Errorf("the reason does not say what to do: %s", why)
	}
}

func TestTheAdminListenerEndsWithTheProgram(t *testing.T) {
	t.Parallel()
	s := newSite(t, operated)
	at := s.app.AdminAddr().String()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	free(t, at)
	never := open(t, settings(t, dbtest.URL(t), newUpstream(t), operated), app.Options{}) // made, and never run
	if err := never.app.Close(); err != nil {
		t.Error(err)
	}
	free(t, never.app.AdminAddr().String())
}

// socketPath is short enough for a socket, whatever the test is called.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "admin")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "admin.sock")
}

func TestAnAdminSocketIsForOurAccountOnlyAndSurvivesACrash(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	onSocket := func(cfg *config.Config) { cfg.AdminListen = path }
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	if why := refused(t, settings(t, dbtest.URL(t), newUpstream(t), onSocket), app.Options{}); !strings.Contains(why, "ADMIN_LISTEN") {
		t.Errorf("another's socket was taken: %s", why)
	}
	left.SetUnlinkOnClose(false) // as after a crash
	_ = left.Close()

	s := newSite(t, onSocket)
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Fatalf("the socket: %v, %v", info.Mode(), err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	res, err := client.Get("http://admin/readyz?verbose")
	if err != nil {
		t.Fatal(err)
	}
	if v := decoded[verbose](t, read(t, res)); v.Status != "ready" {
		t.Errorf("%+v", v)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket stays: %v", err)
	}
}

func TestAnAdminSocketDoesNotReplaceAFile(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	if err := os.WriteFile(path, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, settings(t, dbtest.URL(t), newUpstream(t), func(cfg *config.Config) { cfg.AdminListen = path }), app.Options{})
	if text, err := os.ReadFile(path); err != nil || string(text) != "kept" {
		t.Errorf("the file is gone: %q %v", text, err)
	}
}

// versioned is an upstream whose version and operations a test changes; empty answers are failures.
type versioned struct {
	*upstream
	info, operations atomic.Pointer[string]
}

func newVersioned(t *testing.T) *versioned {
	v := &versioned{}
	say := func(text *atomic.Pointer[string]) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if *text.Load() == "" {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			_, _ = io.WriteString(w, *text.Load())
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /server_info", say(&v.info))
	mux.HandleFunc("GET /openapi.json", say(&v.operations))
	v.upstream = &upstream{Server: httptest.NewServer(mux)}
	t.Cleanup(v.Close)
	v.is("1.49.1", "/api/settings")
	return v
}

// is sets what the upstream answers: its version, and the one path that it publishes.
func (v *versioned) is(version, path string) {
	info, operations := `{"version":"`+version+`"}`, `{"paths":{"`+path+`":{"get":{}}}}`
	if version == "" {
		info = ""
	}
	if path == "" {
		operations = ""
	}
	v.info.Store(&info)
	v.operations.Store(&operations)
}

type told struct {
	Answers    bool
	Since      *time.Time
	Error      string
	Version    string
	Tested     string `json:"tested_version"`
	Comparison *struct {
		Version string
		Tested  bool
		TooNew  bool `json:"too_new"`
		Unknown []string
		Missing []string
		Remarks []string
	}
	ComparisonError string `json:"comparison_error"`
}

// TestTheUpstreamIsComparedWhenItAppearsChangesReturnsAndNowAndThen runs the job by hand.
func TestTheUpstreamIsComparedWhenItAppearsChangesReturnsAndNowAndThen(t *testing.T) {
	t.Parallel()
	u := newVersioned(t)
	s := open(t, settings(t, dbtest.URL(t), u.upstream, operated), app.Options{})
	t.Cleanup(func() { _ = s.app.Close() })
	state := func(later time.Duration) told {
		t.Helper()
		s.app.LookAtUpstream(t.Context(), later)
		w := httptest.NewRecorder()
		s.app.AdminHandler().ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/upstream", nil))
		return decoded[told](t, read(t, w.Result()))
	}
	unknown := func(got told, want ...string) {
		t.Helper()
		if got.Comparison == nil || !slices.Equal(got.Comparison.Unknown, want) {
			t.Errorf("got %+v, want unknown %q", got.Comparison, want)
		}
	}

	first := state(0)
	unknown(first)
	if !first.Answers || first.Version != "1.49.1" || first.Tested != "1.49.1" || !first.Comparison.Tested || len(first.Comparison.Missing) < 10 {
		t.Errorf("%+v", first)
	}

	u.is("1.49.1", "/api/surprise") // unnoticed between two looks
	unknown(state(9 * time.Minute))
	unknown(state(11*time.Minute), "GET /api/surprise")
	if !s.logs.has("GET /api/surprise") {
		t.Error("the log does not name it")
	}

	u.is("2.0.0", "/api/newer")
	newer := state(12 * time.Minute)
	unknown(newer, "GET /api/newer")
	if !newer.Comparison.TooNew || !strings.Contains(strings.Join(newer.Comparison.Remarks, " "), "newer than 1.49.1") {
		t.Errorf("%+v", newer.Comparison)
	}

	u.is("", "")
	if gone := state(13 * time.Minute); gone.Answers || gone.Error == "" || gone.Version != "2.0.0" || gone.Since.Equal(*first.Since) {
		t.Errorf("%+v", gone)
	}
	u.is("2.0.0", "") // it is back, and not ready yet
	if back := state(14 * time.Minute); !back.Answers || back.Error != "" || back.ComparisonError == "" {
		t.Errorf("%+v", back)
	}
	u.is("2.0.0", "/api/settings")
	ready := state(14*time.Minute + 5*time.Second)
	unknown(ready)
	if ready.ComparisonError != "" {
		t.Errorf("%+v", ready)
	}
}
