package settings

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
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

var errStale = errors.New("the token does not work")

// isToken says whether a text is a token of ours, or looks like one.
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
}

// tokens are those of one body, each once.
type tokens map[string]redeemed

// redeemAll finds what the tokens in a value stand for. It is done before anything is locked.
func (s *Surface) redeemAll(ctx context.Context, w who, v any) (tokens, error) {
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
	docs := map[uuid.UUID]*vault.Document{}
	for token := range found {
		r, err := s.redeemFrom(ctx, w, docs, token)
		if err != nil && !errors.Is(err, errStale) {
			return nil, err
		}
		found[token] = r
	}
	return found, nil
}

// redeem is redeemFrom for a single token.
func (s *Surface) redeem(ctx context.Context, w who, token string) (key, string, error) {
	r, err := s.redeemFrom(ctx, w, map[uuid.UUID]*vault.Document{}, token)
	return r.key, r.value, err
}

// redeemFrom finds the key that a token stands for: errStale for a token of another caller or team, a changed one, or one whose
// secret is another by now. docs remembers the documents.
func (s *Surface) redeemFrom(ctx context.Context, w who, docs map[uuid.UUID]*vault.Document, token string) (redeemed, error) {
	r, err := s.read(w, token)
	if err != nil {
		return redeemed{}, errStale
	}
	doc, known := docs[r.Document]
	if !known {
		if doc, _, err = s.Vault.ByID(ctx, r.Document); err != nil {
			return redeemed{}, err
		}
		docs[r.Document] = doc
	}
	if doc == nil || doc.Scope != w.team() && doc.Scope != w.own() || !doc.Has(r.Field) {
		return redeemed{}, errStale
	}
	k := key{doc: doc, field: r.Field}
	value, err := s.Vault.Open(doc, r.Field)
	if err != nil {
		return redeemed{}, k.unavailable(err)
	}
	if string(sum(value)) != string(r.Sum) {
		return redeemed{}, errStale
	}
	return redeemed{key: k, value: value}, nil
}

func (s *Surface) read(w who, token string) (ref, error) {
	text, ours := strings.CutPrefix(strings.TrimSpace(token), tokenPrefix)
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if !ours || err != nil {
		return ref{}, errStale
	}
	plain, err := s.Vault.OpenToken(sealed, w.Team, w.User)
	if err != nil {
		return ref{}, errStale
	}
	var r ref
	return r, json.Unmarshal(plain, &r)
}
