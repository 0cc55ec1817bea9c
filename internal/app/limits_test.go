package app_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/proxy"
)

func TestEveryLimitOfTheConfigurationReachesItsOwnAndZeroIsNone(t *testing.T) {
	t.Parallel()
	got := app.Limits(&config.Config{
		LimitRequestsPerUser: 1, LimitRequestsPerTeam: 2, LimitUploadsPerUser: 3, LimitSocketsPerUser: 4, LimitSocketsPerTeam: 0,
		LimitStartsPerTeam: 6, LimitStartsPerMinute: 7, LimitSubscribersPerUser: 8, LimitSubscribersPerConversation: 9,
	})
	want := proxy.Limits{
		RequestsByUser: 1, RequestsByTeam: 2, UploadsByUser: 3, SocketsByUser: 4, SocketsByTeam: -1,
		StartsByTeam: 6, StartsByMinute: 7, SubscribersByUser: 8, SubscribersByConversation: 9,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestALimitOfTheConfigurationIsTheOneThatRefuses holds one place with a request that waits.
func TestALimitOfTheConfigurationIsTheOneThatRefuses(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan struct{}), make(chan struct{})
	var asked atomic.Int64
	u := newUpstream(t)
	inner := u.Config.Handler
	u.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/llm/providers" {
			inner.ServeHTTP(w, r)
			return
		}
		if asked.Add(1) == 1 {
			close(begun)
			<-goOn
		}
		_, _ = io.WriteString(w, `{"providers":[]}`)
	})
	s := serve(t, settings(t, dbtest.URL(t), u, anonymous, func(cfg *config.Config) { cfg.LimitRequestsPerUser = 1 }), app.Options{})
	waited := make(chan answer, 1)
	go func() { waited <- s.do("GET", "/api/llm/providers", "") }()
	<-begun
	res := s.do("GET", "/api/llm/providers", "")
	if res.StatusCode != http.StatusTooManyRequests || !strings.Contains(res.body, "requests at a time: you have 1, which is the limit") || res.Header.Get("Retry-After") == "" {
		t.Errorf("the second: %d %s", res.StatusCode, res.body)
	}
	close(goOn)
	if res := <-waited; res.StatusCode != http.StatusOK {
		t.Errorf("the first: %d %s", res.StatusCode, res.body)
	}
}
