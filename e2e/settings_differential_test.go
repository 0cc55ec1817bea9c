package e2e_test

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/schema"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
)

// TestSettingsAreTheUpstreams compares the product's settings, secrets and profiles with those of a real agent-server of its own.
// One after the other, as that has one folder.
func TestSettingsAreTheUpstreams(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	t.Run("each case", w.eachCase)
	t.Run("random patches", w.randomPatches)
	t.Run("secret fields", w.secretFields)
}

// eachCase sends every case of testdata/settings.cases.txt to the upstream and, as a Developer of a fresh team, to the product.
// Status, members and values must be equal, of faults the type and the place, but for what testdata/settings.differences.txt lists;
// and what that lists must be so.
func (w *twins) eachCase(t *testing.T) {
	known := differences(t)
	compared := 0
	for _, ch := range chapters(t) {
		w.anew(t)
		for _, c := range ch.cases {
			name := ch.name + ": " + c.name
			compared += w.compare(t, name, c, known[name])
		}
	}
	for name, e := range known {
		if !e.seen {
			t.Errorf("%s: a difference is listed, but there is no such case", name)
		}
	}
	t.Logf("%d answers were compared; %d cases differ on purpose", compared, len(known))
}

// secretFields shows that what the running upstream calls secret is sealed here.
func (w *twins) secretFields(t *testing.T) {
	fetch := func(ctx context.Context, path string) ([]byte, error) {
		r, err := http.NewRequestWithContext(ctx, "GET", w.real.URL()+path, nil)
		if err != nil {
			return nil, err
		}
		r.Header.Set("X-Session-Api-Key", w.real.Key())
		a, err := do(r)
		return []byte(a.body), err
	}
	surface := settings.New(settings.Config{Book: schema.New(fetch, slog.New(slog.DiscardHandler))})
	called, err := surface.CalledSecret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	inClear, err := surface.Unsealed(t.Context())
	for _, known := range []string{"/llm/api_key", "/mcp_config/*/headers/*", "/verification/critic_api_key", "/value"} {
		if !slices.Contains(called, known) {
			t.Errorf("the upstream does not call %s secret: nothing is shown", known)
		}
	}
	if err != nil || len(inClear) > 0 {
		t.Errorf("of %v, which the upstream calls secret, %v would lie in clear: %v", called, inClear, err)
	}
	t.Logf("%d secret fields of version %s are sealed", len(called), w.real.Version())
}

// compare asks both, as often as the case says, and judges in what they differ.
func (w *twins) compare(t *testing.T, name string, c settingsCase, e *expected) int {
	t.Helper()
	var found []string
	for n := range c.times {
		for _, s := range w.sides {
			s.words["n"] = strconv.Itoa(n + 1)
		}
		for _, line := range w.asked(t, c) {
			if !slices.Contains(found, line) {
				found = append(found, line)
			}
		}
	}
	for _, s := range w.sides {
		delete(s.words, "n")
	}
	var want []string
	if e != nil {
		e.seen = true
		want = e.lines
	}
	if !slices.Equal(found, want) {
		t.Errorf("the upstream | the product, in\n%s\n    %s\n  listed:\n    %s", name, indented(found), indented(want))
	}
	return c.times
}

func indented(all []string) string {
	if len(all) == 0 {
		return "nothing"
	}
	return strings.Join(all, "\n    ")
}
