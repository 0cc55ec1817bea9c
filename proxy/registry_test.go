package proxy_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// promise is how long anything may live on after its right ended.
const promise = 2 * time.Second

func TestALostRightEndsAnOpenWebSocketInTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*stand)
		code   websocket.StatusCode
	}{
		"the session ended":           {func(s *stand) { delete(s.people, "dev") }, 4001},
		"the credential does not do":  {func(s *stand) { s.away = problem.New(http.StatusForbidden, "SECOND_FACTOR_REQUIRED") }, 4004},
		"the conversation is deleted": {func(s *stand) { s.objects[ours] = access.Object{ID: ours, Team: red, State: access.StateDeleted} }, 4004},
		"the conversation has no row": {func(s *stand) { delete(s.objects, ours) }, 4004},
		"the conversation moved":      {func(s *stand) { s.objects[ours] = access.Object{ID: ours, Team: blue, State: access.StateLive} }, 4004},
		"the conversation is private": {func(s *stand) {
			s.objects[ours] = access.Object{ID: ours, Team: red, State: access.StateLive, Private: true}
		}, 4004},
		"the membership ended":         {func(s *stand) { s.people["dev"] = person("dev+1@example.com", blue, access.Owner) }, 4004},
		"the credential is another's":  {func(s *stand) { s.people["dev"] = person("somebody@example.com", red, access.Owner) }, 4004},
		"the role lost its permission": {func(s *stand) { s.people["dev"] = person("dev+1@example.com", red, "none") }, 4004},
	} {
		for _, stale := range []bool{false, true} {
			t.Run(name+map[bool]string{false: ", an event told", true: ", no event came"}[stale], func(t *testing.T) {
				t.Parallel()
				up := newSpeaker()
				s := newStand(t, up.ServeHTTP, func(cfg *proxy.Config) {
					if !stale {
						cfg.Recheck = time.Hour
					}
				})
				s.stale.Store(stale)
				c1 := s.open(t, live, bearer("dev"))
				say(t, c1, "hello")
				hear(t, c1)
				s.change(func() { c.change(s) })
				if got := ends(t, c1, promise); got.Code != c.code {
					t.Errorf("got %v", got)
				}
				select {
				case err := <-up.closed:
					t.Logf("the upstream's side ended: %v", err)
				case <-time.After(promise):
					t.Error("the upstream's side lives on")
				}
			})
		}
	}
}

func TestAnonymousSocketsEndWhenTheModeDoes(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, quick)
	p := person("", red, access.Developer)
	p.Anonymous = true
	s.anonymous = p
	c := s.open(t, live, nil)
	say(t, c, "hello")
	hear(t, c)
	s.change(func() { s.anonymous = nil })
	if got := ends(t, c, promise); got.Code != 4001 {
		t.Errorf("got %v", got)
	}
}

func TestASocketSurvivesADatabaseThatIsAwayUntilTheLeaseEnds(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, func(c *proxy.Config) { c.Lease = 600 * time.Millisecond })
	c := s.open(t, live, bearer("dev"))
	s.stale.Store(true)
	away := problem.Unavailable("The database does not answer.", nil)
	s.change(func() { s.away = away })
	for range 3 {
		say(t, c, "hello")
		hear(t, c)
	}
	if s.engine.Live().Len() != 1 {
		t.Error("the socket was given up at once")
	}
	if got := ends(t, c, 5*time.Second); got.Code != 1013 {
		t.Errorf("got %v", got)
	}
}

func TestASocketSurvivesAShortAbsenceOfTheDatabase(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, nil)
	c := s.open(t, live, bearer("dev"))
	s.change(func() { s.away = problem.Unavailable("The database does not answer.", nil) })
	testtime.Eventually(t, promise, "it was asked in vain", func() bool { return s.refusals() > 2 })
	s.change(func() { s.away = nil })
	for range 3 {
		say(t, c, "hello")
		hear(t, c)
	}
}

// hanging is a gate behind a connection that hangs: it does not even notice that the time of a question is over.
type hanging struct {
	*world
	hangs   atomic.Bool
	asked   atomic.Int64
	release chan struct{}
}

func (h *hanging) Resolve(ctx context.Context, c access.Credential, team string) (access.Caller, error) {
	if h.hangs.Load() {
		h.asked.Add(1)
		<-h.release
	}
	return h.world.Resolve(ctx, c, team)
}

func TestAQuestionThatNeverEndsDoesNotOutliveTheLease(t *testing.T) {
	t.Parallel()
	h := &hanging{release: make(chan struct{})}
	s := newStand(t, newSpeaker().ServeHTTP, func(c *proxy.Config) {
		h.world = c.Gate.(*world)
		c.Gate, c.Lease = h, 500*time.Millisecond
	})
	sockets := []*websocket.Conn{s.open(t, live, bearer("dev")), s.open(t, live, bearer("viewer"))}
	h.hangs.Store(true)
	t.Cleanup(func() { close(h.release) })
	for _, c := range sockets {
		if got := ends(t, c, 500*time.Millisecond+promise); got.Code != 1013 {
			t.Errorf("got %v", got)
		}
	}
	if n := h.asked.Load(); n > 8 {
		t.Errorf("%d questions hang", n)
	}
}

func TestAllIsAskedAboutAtOnceWhenNewsMayBeMissing(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, func(c *proxy.Config) { c.Recheck = time.Hour })
	c := s.open(t, live, bearer("dev"))
	s.mu.Lock()
	delete(s.people, "dev") // and nobody is told
	s.mu.Unlock()
	s.stale.Store(true)
	if got := ends(t, c, 500*time.Millisecond); got.Code != 4001 {
		t.Errorf("got %v", got)
	}
}

func TestADownloadBreaksOffWhenItsRightEnds(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	s := newStand(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat("x", 1000)); err != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
	}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 5*promise)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", s.url+"/api/models", nil)
	r.Header.Set("Authorization", "Bearer dev")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.ReadFull(res.Body, make([]byte, 5000)); err != nil {
		t.Fatal(err)
	}
	s.change(func() { delete(s.people, "dev") })
	began := time.Now()
	if _, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Error("the client takes the download for whole")
	}
	if took := time.Since(began); took > promise {
		t.Errorf("it took %s", took)
	}
	<-ended
}

func TestADownloadToAClientThatDoesNotReadEndsToo(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	s := newStand(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat("x", 1<<20)); err != nil {
				return
			}
		}
	}, nil)
	r, _ := http.NewRequestWithContext(t.Context(), "GET", s.url+"/api/models", nil)
	r.Header.Set("Authorization", "Bearer dev")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	testtime.Eventually(t, promise, "the download is registered", func() bool { return s.engine.Live().Len() == 1 })
	s.change(func() { delete(s.people, "dev") })
	testtime.Eventually(t, promise, "it is gone", func() bool { return s.engine.Live().Len() == 0 })
	<-ended
}

func TestASilentStreamBreaksOffWhenItsRightEnds(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}, nil)
	r, _ := http.NewRequestWithContext(t.Context(), "GET", s.url+"/api/models", nil)
	r.Header.Set("Authorization", "Bearer dev")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	s.change(func() { delete(s.people, "dev") })
	testtime.Eventually(t, promise, "it is gone", func() bool { return s.engine.Live().Len() == 0 })
	if _, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Error("the client takes the stream for whole")
	}
}

func TestAnUploadBreaksOffWhenItsRightEnds(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, nil)
	in, out := io.Pipe()
	r, _ := http.NewRequestWithContext(t.Context(), "POST", s.url+"/api/models", in)
	r.Header.Set("Authorization", "Bearer dev")
	done := make(chan error, 1)
	go func() {
		res, err := http.DefaultClient.Do(r)
		if err == nil {
			_ = res.Body.Close()
		}
		done <- err
	}()
	_, _ = io.WriteString(out, strings.Repeat("x", 1000))
	testtime.Eventually(t, promise, "the upload is registered", func() bool { return s.engine.Live().Len() == 1 })
	s.change(func() { delete(s.people, "dev") })
	testtime.Eventually(t, promise, "it is gone", func() bool { return s.engine.Live().Len() == 0 })
	_ = out.Close()
	t.Logf("the upload ended: %v", <-done)
}

func TestCloseEndsEverythingWith1001(t *testing.T) {
	t.Parallel()
	up := newSpeaker()
	s := newStand(t, up.ServeHTTP, nil)
	c := s.open(t, live, bearer("dev"))
	say(t, c, "hello")
	hear(t, c)
	done := make(chan struct{})
	go func() { s.engine.Close(); close(done) }()
	if got := ends(t, c, promise); got.Code != 1001 {
		t.Errorf("got %v", got)
	}
	if err := <-up.closed; websocket.CloseStatus(err) != 1001 {
		t.Errorf("the upstream saw %v", err)
	}
	<-done
	if s.engine.Live().Len() != 0 {
		t.Error("something lives on")
	}
	s.engine.Close() // again is fine
	if got := ends(t, s.open(t, live, bearer("dev")), promise); got.Code != 1001 {
		t.Errorf("after Close: got %v", got)
	}
}

func TestManyThingsOfOneCallerCostOneQuestion(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, nil)
	ended := make(chan int, 2000)
	for range 2000 {
		s.engine.Live().Add(proxy.Live{
			Caller: access.Caller{Principal: s.people["dev"], Credential: access.Credential{Form: access.FormKey, Token: "dev"}},
			Object: s.objects[ours], Team: red, Permission: access.ConversationRead, End: func(code int, _ string) { ended <- code },
		})
	}
	s.change(func() { delete(s.people, "dev") })
	testtime.Eventually(t, promise, "all were told", func() bool { return len(ended) == 2000 })
}
