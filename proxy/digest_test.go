package proxy_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
)

func digesting(sums chan proxy.Hidden) func(*proxy.Config) {
	return func(c *proxy.Config) {
		quick(c)
		c.Digest = time.Hour // the end of the engine tells of the rest
		c.Hidden = func(_ context.Context, h proxy.Hidden) { sums <- h }
	}
}

func TestHiddenAnswersAreToldInOneSumForEachCaller(t *testing.T) {
	t.Parallel()
	sums := make(chan proxy.Hidden, 100)
	s := newStand(t, newSpeaker().ServeHTTP, digesting(sums))
	letAnonymousIn(s)
	for _, id := range []uuid.UUID{foreign, unknown, uuid.New()} {
		has(t, s.ask(t, "GET", "/api/conversations/"+id.String()+"/events", "dev"), 404, "Not Found")
		has(t, s.ask(t, "DELETE", "/api/conversations/"+id.String(), "dev"), 404, "Not Found")
		if got := ends(t, s.open(t, "/sockets/events/"+id.String(), bearer("dev")), promise); got.Code != 4004 {
			t.Errorf("got %v", got)
		}
		if got := ends(t, s.open(t, "/sockets/events/"+id.String(), nil), promise); got.Code != 4004 {
			t.Errorf("got %v", got)
		}
	}
	has(t, s.ask(t, "GET", "/api/conversations/"+ours.String(), "viewer"), 426, "") // what is found is no matter
	if len(sums) != 0 {
		t.Errorf("%d sums were told before their time", len(sums))
	}
	s.engine.Close()
	s.engine.Close()
	close(sums)
	got := map[string]proxy.Hidden{}
	for h := range sums {
		got[h.Caller.Principal.Email] = h
		if h.Caller.Credential.Token != "" {
			t.Error("the credential is told")
		}
	}
	dev, nobody := got["dev+1@example.com"], got[""]
	if len(got) != 2 || dev.Count != 9 || dev.Path != events || nobody.Count != 3 || nobody.Path != "/sockets/events/{conversation_id}" {
		t.Errorf("got %+v", got)
	}
	if dev.Caller.Credential.Form != access.FormBearer || !nobody.Caller.Principal.Anonymous {
		t.Errorf("got %+v", got)
	}
}

func TestSumsAreToldWhenTheirTimeHasCome(t *testing.T) {
	t.Parallel()
	sums := make(chan proxy.Hidden, 100)
	s := newStand(t, nil, func(c *proxy.Config) {
		digesting(sums)(c)
		c.Digest = 50 * time.Millisecond
	})
	for range 2 {
		has(t, s.ask(t, "GET", "/api/conversations/"+unknown.String(), "dev"), 404, "Not Found")
		if h := <-sums; h.Count != 1 {
			t.Errorf("got %+v", h)
		}
	}
}

func TestUnknownOperationsAreLoggedInSumsWithoutIdsAndBounded(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, func(c *proxy.Config) { c.Digest = time.Hour })
	for range 3 {
		id := uuid.NewString()
		s.ask(t, "GET", "/api/desktop/"+id+"/url/Secret1", "dev")
		s.ask(t, "BREW", "/api/a/b/c/d/e/f/g/h", "dev")
	}
	for i := range 300 {
		s.ask(t, "GET", "/api/"+strings.Repeat("x", i%30+1)+"/"+strings.Repeat("y", i/30+1), "dev")
	}
	s.engine.Close()
	log := s.log.String()
	for _, want := range []string{
		"method=GET path=/api/desktop/{}/url/{} count=3", "method=other path=/api/a/b/c/d/e/... count=3", "more unknown operations were refused", fmt.Sprint("count=", 300+2-256),
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	if n := strings.Count(log, "unknown operation"); n != 257 {
		t.Errorf("%d lines", n)
	}
}

func TestCallersWhoAreCountedAreBounded(t *testing.T) {
	t.Parallel()
	sums := make(chan proxy.Hidden, 2000)
	s := newStand(t, nil, digesting(sums))
	proxy.NoteHidden(s.engine, 1500)
	s.engine.Close()
	if len(sums) != 1024 || !strings.Contains(s.log.String(), "count=476") {
		t.Errorf("%d sums", len(sums))
	}
}
