package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// The sequences of the merge: how many, how long, and which. SETTINGS_SEQUENCES and SETTINGS_SEED change them.
const (
	mergeSequences = 40
	mergeSteps     = 6
	mergeSeed      = 20261124
)

// randomPatches applies sequences of random patches to both. After each the answers must be equal: status, and all settings that
// count, in clear. Each sequence begins with nothing, and is printed when it goes wrong.
func (w *twins) randomPatches(t *testing.T) {
	sequences, seed := fromEnvironment(t, "SETTINGS_SEQUENCES", mergeSequences), fromEnvironment(t, "SETTINGS_SEED", mergeSeed)
	kept := 0
	for n := range sequences {
		g := &patches{rand.New(rand.NewPCG(uint64(seed), uint64(n)))}
		kept += w.sequence(t, g, fmt.Sprintf("seed %d, sequence %d", seed, n))
	}
	t.Logf("seed %d: %d sequences of %d patches, of which %d were kept", seed, sequences, mergeSteps, kept)
	if kept < sequences*mergeSteps/3 {
		t.Error("too few patches are kept to show anything")
	}
}

func fromEnvironment(t *testing.T, name string, otherwise int) int {
	t.Helper()
	given := os.Getenv(name)
	if given == "" {
		return otherwise
	}
	n, err := strconv.Atoi(given)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// sequence gives how many patches were kept.
func (w *twins) sequence(t *testing.T, g *patches, name string) (kept int) {
	t.Helper()
	w.anew(t)
	var sent []string
	for step := range mergeSteps {
		body := `{"misc_settings_diff":{"app_preferences":{"user_consents_to_analytics":false}}}` // the product's own default
		if step > 0 {
			body = g.patch()
		}
		sent = append(sent, body)
		c := settingsCase{name: name, method: "PATCH", path: "/api/settings", body: body}
		patched, status := w.askedFor(t, c)
		read, _ := w.askedFor(t, settingsCase{name: name, method: "GET", path: "/api/settings", expose: "plaintext"})
		if found := append(patched, read...); len(found) > 0 {
			t.Errorf("%s: the upstream | the product:\n    %s\n  after\n    %s", name, strings.Join(found, "\n    "), strings.Join(sent, "\n    "))
			return kept
		}
		if status < 300 {
			kept++
		}
	}
	return kept
}

// patches makes bodies of PATCH /api/settings of real members. It makes none that differ by design (settings.differences.txt): the
// mask, ciphertexts, null for a model's name, headers of a model and texts in its extra body, skills, profiles.
type patches struct{ *rand.Rand }

func (p *patches) patch() string {
	body := map[string]any{}
	for len(body) == 0 {
		if p.IntN(4) > 0 {
			body["agent_settings_diff"] = p.some(agentMembers(), 3)
		}
		if p.IntN(3) == 0 {
			body["conversation_settings_diff"] = p.some(talkMembers(), 2)
		}
		if p.IntN(3) == 0 {
			body["misc_settings_diff"] = p.free(3)
		}
	}
	raw, _ := json.Marshal(body)
	return string(raw)
}

// choice is one of some values, or what one of them makes.
func (p *patches) choice(of []any) any {
	switch v := of[p.IntN(len(of))].(type) {
	case func(*patches) any:
		return v(p)
	default:
		return v
	}
}

// some takes up to most members.
func (p *patches) some(members []member, most int) map[string]any {
	out := map[string]any{}
	for range 1 + p.IntN(most) {
		m := members[p.IntN(len(members))]
		out[m.name] = p.choice(m.values)
	}
	return out
}

// free is any JSON, for settings that the server does not read.
func (p *patches) free(depth int) map[string]any {
	out := map[string]any{}
	for range p.IntN(4) {
		name := string(rune('a' + p.IntN(4)))
		switch v := p.IntN(7); {
		case v == 0:
			out[name] = nil
		case v < 4 && depth > 0:
			out[name] = p.free(depth - 1)
		default:
			out[name] = p.choice([]any{1, 2.5, "x", "", true, []any{}, []any{1, nil, map[string]any{"y": nil}}})
		}
	}
	return out
}
