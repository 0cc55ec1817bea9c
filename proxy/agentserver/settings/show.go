package settings

import (
	"context"
	"net/http"
	"strings"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// OperatorMarker stands where the operator's key would stand: it gives the key at creation and is worth nothing elsewhere.
const OperatorMarker = "operator-managed-key"

// mode is how secrets are shown.
type mode int

const (
	redacted  mode = iota // as a mask
	encrypted             // as tokens of ours
	plaintext             // in clear, as far as they are the caller's to see; else as tokens
)

// modeOf reads X-Expose-Secrets as the upstream does.
func modeOf(h http.Header, w who) (mode, error) {
	value := strings.ToLower(strings.TrimSpace(h.Get("X-Expose-Secrets")))
	switch value {
	case "":
		return redacted, nil
	case "encrypted", "true":
		return encrypted, nil
	case "plaintext":
		return plaintext, w.must(access.SettingsWrite, problem.New(http.StatusForbidden, "Your role may not see secrets in clear."))
	}
	return redacted, problem.Newf(http.StatusBadRequest,
		"Invalid X-Expose-Secrets header value: '%s'. Valid values are: 'encrypted', 'plaintext'.", clipped(value))
}

// show puts what stands for each key into its place below in. A key that does not open is null: the others are there.
func (s *Surface) show(ctx context.Context, w who, m mode, in map[string]any, keys map[string]key) error {
	var clear []key
	for pointer, k := range keys {
		shown, revealed, err := s.shown(w, m, k)
		if unopened(err) {
			s.missed(ctx, k.doc, err)
			shown, err = nil, nil
		}
		if err != nil {
			return err
		}
		if revealed {
			clear = append(clear, k)
		}
		place(in, pointer, shown)
	}
	return s.onRecord(ctx, w, clear)
}

// missed notes in the log that something is left out because a secret does not open.
func (s *Surface) missed(ctx context.Context, d *vault.Document, err error) {
	s.Log.WarnContext(ctx, "a secret does not open and is left out", "team", d.Scope.Team, "document", d.ID, "error", err)
}

func (s *Surface) shown(w who, m mode, k key) (shown any, revealed bool, err error) {
	switch {
	case m == redacted:
		return mask, false, nil
	case k.operators():
		return OperatorMarker, false, nil
	case m == plaintext && (k.mine(w) || w.keeps()):
		value, err := s.Vault.Open(k.doc, k.field)
		return unpacked(value), err == nil, err
	}
	token, err := s.mint(w, k)
	return token, false, err
}

// onRecord writes down who is shown these in clear.
func (s *Surface) onRecord(ctx context.Context, w who, keys []key) error {
	if len(keys) == 0 {
		return nil
	}
	shown := make([]vault.Reveal, len(keys))
	for i, k := range keys {
		shown[i] = vault.Reveal{Document: k.doc, Field: k.field}
	}
	return s.Vault.Revealed(ctx, w.by, shown)
}

// revealed gives a secret in clear, once that is on record.
func (s *Surface) revealed(ctx context.Context, w who, k key) (string, error) {
	value, err := s.Vault.Open(k.doc, k.field)
	if err != nil {
		return "", k.unavailable(err)
	}
	return value, s.onRecord(ctx, w, []key{k})
}

// clipped bounds a text that is given back in an answer.
func clipped(text string) string {
	if runes := []rune(text); len(runes) > 64 {
		return string(runes[:64])
	}
	return text
}
