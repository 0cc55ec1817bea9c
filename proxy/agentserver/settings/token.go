package settings

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

const (
	// tokenPrefix begins what a client gets in the place of a secret when it asks for encrypted values. A token holds no secret:
	// only where one lies, for one caller in one team, sealed. It stops working when the secret changes.
	tokenPrefix = "ohv1."

	// upstreamToken begins every value that the upstream encrypted with its one key, for whichever team.
	upstreamToken = "gAAAA"

	// mostTokens is how many different ones a body may hold.
	mostTokens = 100
)

// What is said of texts that stand for a secret.
const (
	staleToken     = "This value is not yours or is out of date: load the settings again." // to all that do not work, whatever the reason
	tokenElsewhere = "This value stands for a secret of another place. Give the secret itself, or leave it out."
	foreignToken   = "Encrypted values of the backend are not accepted here. Give the value itself, or leave it out."
)

// IsToken says whether a text is a token of ours, or looks like one.
func IsToken(text string) bool { return isToken(text) }

func isToken(text string) bool { return strings.HasPrefix(strings.TrimSpace(text), tokenPrefix) }

// isForeign says so of one of the upstream's.
func isForeign(text string) bool { return strings.HasPrefix(strings.TrimSpace(text), upstreamToken) }

// ref is what a token holds.
type ref struct {
	Document uuid.UUID `json:"d"`
	Field    string    `json:"f"`
	Sum      []byte    `json:"s"` // the beginning of the secret's SHA-256: a changed secret is another one
}

func sum(value string) []byte {
	all := sha256.Sum256([]byte(value))
	return all[:8]
}

// mint makes the token of a key for one caller.
func (s *Surface) mint(w who, k key) (string, error) {
	value, err := s.Vault.Open(k.doc, k.field)
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(ref{Document: k.doc.ID, Field: k.field, Sum: sum(value)})
	if err != nil {
		return "", err
	}
	sealed, err := s.Vault.SealToken(plain, w.Team, w.User)
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(sealed), err
}

// redeemed is what a token stands for; without a document it stands for nothing.
type redeemed struct {
	key   key
	value string
	lost  error // the secret does not open: it can stay where it is, and nothing else
}

// tokens are those of one body, each once.
type tokens map[string]redeemed

// tokensIn finds the tokens in a value.
func tokensIn(v any) (tokens, error) {
	found := tokens{}
	holds(v, func(text string) bool {
		if isToken(text) {
			found[strings.TrimSpace(text)] = redeemed{}
		}
		return len(found) > mostTokens
	})
	if len(found) > mostTokens {
		return nil, problem.Newf(http.StatusUnprocessableEntity, "A body may hold %d tokens of secrets at most.", mostTokens)
	}
	return found, nil
}

// redeemAll finds what the tokens in a value stand for, with one query at most. It is done before anything is locked.
func (s *Surface) redeemAll(ctx context.Context, w who, v any) (tokens, error) {
	found, err := tokensIn(v)
	if err != nil || len(found) == 0 {
		return found, err
	}
	h, err := s.holdings(ctx, w, vault.KindSettings, vault.KindProfile, vault.KindConnection)
	if err != nil {
		return nil, err
	}
	return s.redeem(h, found), nil
}

// redeem finds what tokens stand for among the documents that count for a caller.
func (s *Surface) redeem(h holdings, all tokens) tokens {
	for token := range all {
		all[token] = s.redeemed(h, token)
	}
	return all
}

// redeemed is nothing for a token of another caller or team, a changed one, or one whose secret is another by now.
func (s *Surface) redeemed(h holdings, token string) redeemed {
	r, err := s.read(h.who, token)
	i := slices.IndexFunc(h.docs, func(d *vault.Document) bool { return d.ID == r.Document })
	if err != nil || i < 0 || !h.docs[i].Has(r.Field) {
		return redeemed{}
	}
	k := key{doc: h.docs[i], field: r.Field}
	value, err := s.Vault.Open(k.doc, k.field)
	switch {
	case err != nil:
		return redeemed{key: k, lost: k.unavailable(err)}
	case string(sum(value)) != string(r.Sum):
		return redeemed{}
	}
	return redeemed{key: k, value: value}
}

func (s *Surface) read(w who, token string) (r ref, err error) {
	text, _ := strings.CutPrefix(strings.TrimSpace(token), tokenPrefix)
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return r, err
	}
	plain, err := s.Vault.OpenToken(sealed, w.Team, w.User)
	if err != nil {
		return r, err
	}
	err = json.Unmarshal(plain, &r)
	return r, err
}
