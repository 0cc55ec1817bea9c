package proxy_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// virtual is a stand with one operation, POST /api/x, that runs handle.
func virtual(t *testing.T, upstream http.HandlerFunc, handle proxy.Handler) *stand {
	t.Helper()
	return newStand(t, upstream, func(c *proxy.Config) {
		c.MaxBody = 1000
		c.Operations = []proxy.Operation{{Method: "POST", Path: "/api/x", Permission: access.TeamRead, Treatment: proxy.Virtual, Handle: handle}}
	})
}

func TestFetchAsksAsTheCallerAndReadsTheAnswerWhole(t *testing.T) {
	t.Parallel()
	s := virtual(t, nil, func(x *proxy.Exchange) error {
		reply, err := x.Fetch(x.Request.Context(), proxy.Outgoing{Method: "POST", Path: "/api/conversations", Body: []byte(`{"a":1}`)})
		if err != nil {
			return err
		}
		var e echoed
		if err := json.Unmarshal(reply.Body, &e); err != nil {
			return err
		}
		return x.JSON(201, e)
	})
	a := s.ask(t, "POST", "/api/x?q=1&cid=2", "dev", body("{}"))
	has(t, a, 201, `"Target":"/api/conversations?q=1","Body":"{\"a\":1}"`)
	has(t, a, 201, `"X-Openhands-Team-Role":["developer"]`)
	if strings.Contains(a.body, "Authorization") {
		t.Error("the client's credential went along")
	}
}

func TestFetchDoesNotFollowAndSaysNothingOfTheInside(t *testing.T) {
	t.Parallel()
	status := 0
	s := virtual(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/followed" {
			t.Error("the redirect was followed")
		}
		w.Header().Set("Location", "/followed")
		w.WriteHeader(status)
		_, _ = w.Write([]byte("inside " + key))
	}, func(x *proxy.Exchange) error {
		reply, err := x.Fetch(x.Request.Context(), proxy.Outgoing{})
		if err != nil {
			var failure *proxy.UpstreamError
			if !errors.As(err, &failure) || failure.Status != reply.Status {
				return errors.New("no upstream error")
			}
			return err
		}
		return x.JSON(reply.Status, map[string]string{"body": string(reply.Body), "location": reply.Header.Get("Location")})
	})
	for upstream, want := range map[int]int{500: 502, 501: 502, 503: 502, 307: 404, 401: 502, 404: 404, 200: 200} {
		status = upstream
		a := s.ask(t, "POST", "/api/x", "dev", body("{}"))
		if a.StatusCode != want || strings.Contains(a.body, key) || strings.Contains(a.body, "followed") || (want >= 500 && strings.Contains(a.body, "inside")) {
			t.Errorf("%d: got %d %s", upstream, a.StatusCode, a.body)
		}
	}
	s.upstream.Close()
	a := s.ask(t, "POST", "/api/x", "dev", body("{}"))
	if a.StatusCode != 500 { // the handler above finds no UpstreamError in a failed connection
		t.Errorf("got %d", a.StatusCode)
	}
}

func TestCallNeedsNoClient(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, nil)
	for _, p := range []*access.Principal{nil, s.people["dev"]} {
		reply, err := s.engine.Call(t.Context(), p, proxy.Outgoing{Path: "/api/conversations", Query: map[string][]string{"ids": {"1", "2"}}})
		if err != nil {
			t.Fatal(err)
		}
		var e echoed
		_ = json.Unmarshal(reply.Body, &e)
		if e.Target != "/api/conversations?ids=1&ids=2" || e.Method != "GET" || (e.Header.Get("X-OpenHands-User-Id") != "") != (p != nil) {
			t.Errorf("got %+v", e)
		}
	}
	s.upstream.Close()
	_, err := s.engine.Call(t.Context(), nil, proxy.Outgoing{Path: "/api/conversations"})
	if p := problem.Of(err); p.Status != 502 || p.RetryAfter == 0 {
		t.Errorf("got %v", err)
	}
	if _, err := s.engine.Call(t.Context(), nil, proxy.Outgoing{}); problem.Of(err).Status != 400 {
		t.Errorf("no path: got %v", err)
	}
}

func TestAnAnswerThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 16<<20+1)) }, nil)
	_, err := s.engine.Call(t.Context(), nil, proxy.Outgoing{Path: "/x"})
	if problem.Of(err).Status != 502 {
		t.Errorf("got %v", err)
	}
}

func TestReadJSONTakesOneObjectAndSaysWhatIsWrongAsFastAPIDoes(t *testing.T) {
	t.Parallel()
	s := virtual(t, nil, func(x *proxy.Exchange) error {
		o, err := x.ReadJSON()
		if err != nil {
			return err
		}
		return x.JSON(200, o)
	})
	for in, want := range map[string]struct {
		status int
		text   string
	}{
		`{"n":12345678901234567890.10,"a":1,"A":2,"a":3}`: {200, `{"A":2,"a":3,"n":12345678901234567890.10}`},
		``:                        {422, `"missing"`},
		`{`:                       {422, `"type":"json_invalid","loc":["body",1]`},
		`{"a":`:                   {422, `"type":"json_invalid","loc":["body",5]`},
		`hello`:                   {422, `"type":"json_invalid","loc":["body",0]`},
		`{} {}`:                   {422, `"json_invalid"`},
		`{"a":NaN}`:               {422, `"json_invalid"`},
		`[1]`:                     {422, `"model_attributes_type"`},
		`null`:                    {422, `"model_attributes_type"`},
		"{\"a\":\"\xff\"}":        {400, "parsing the body"},
		strings.Repeat(" ", 1001): {413, "larger"},
	} {
		has(t, s.ask(t, "POST", "/api/x", "dev", body(in)), want.status, want.text)
	}
	form := func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }
	has(t, s.ask(t, "POST", "/api/x", "dev", body("{}"), form), 422, "model_attributes_type")
}
