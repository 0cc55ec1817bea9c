package schema_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/schema"
)

func TestWhatAModelDoesNotKnowIsLeftOut(t *testing.T) {
	t.Parallel()
	b := book()
	for model, c := range map[string]struct{ in, want map[string]any }{
		"LLM": {map[string]any{"model": 5, "apikey": "x", "api_key": nil}, map[string]any{"model": 5, "api_key": nil}},
	} {
		got, err := b.Known(t.Context(), model, c.in)
		if diff := cmp.Diff(any(c.want), got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", model, err, diff)
		}
	}
}

func TestAStillBookAnswersWithoutAsking(t *testing.T) {
	t.Parallel()
	asked := 0
	b := schema.New(func(context.Context, string) ([]byte, error) { asked++; return []byte("{}"), nil }, slog.New(slog.DiscardHandler))
	still, err := b.Still(t.Context())
	if err != nil || asked != 3 {
		t.Fatalf("asked %d times, %v", asked, err)
	}
	if _, err := still.Raw(t.Context(), schema.Agent); err != nil {
		t.Errorf("of what it holds: %v", err)
	}
	if _, err := still.Raw(t.Context(), "/elsewhere"); err == nil || asked != 3 {
		t.Error("it asks for what it does not hold")
	}
}
