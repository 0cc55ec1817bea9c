package settings

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/sealed"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// key is a secret in the vault that counts somewhere; the operator's lies in no document.
type key struct {
	doc   *vault.Document
	field string
}

// operators says whether it is the operator's.
func (k key) operators() bool { return k.doc == nil }

// mine says whether the key belongs to those that the caller acts for, the team or itself: it may go wherever they say.
func (k key) mine(w who) bool { return k.doc.Scope == w.own() }

// is says whether two are the same.
func (k key) is(other key) bool {
	return !k.operators() && !other.operators() && k.doc.ID == other.doc.ID && k.field == other.field
}

// member says what the secret is, whatever document it lies in.
func (k key) member() string { return memberOf(k.doc.Kind, k.field) }

// memberOf says what a secret at a place of a document is: "llm/api_key" in settings, a profile or a connection, "mcp/headers/X"
// of any MCP server.
func memberOf(kind vault.Kind, field string) string {
	switch kind {
	case vault.KindProfile, vault.KindConnection:
		return "llm" + field
	case vault.KindSettings:
		place := strings.TrimPrefix(strings.TrimPrefix(field, "/"+agentSettings), "/")
		if server, isServers := strings.CutPrefix(place, "mcp_config/"); isServers {
			_, member, _ := strings.Cut(server, "/")
			return "mcp/" + member
		}
		return place
	}
	return string(kind) + field
}

// unopened says whether an error is that of a value which does not open, and not one of the database's.
func unopened(err error) bool {
	_, missing := errors.AsType[*sealed.MissingKey](err)
	return missing || errors.Is(err, sealed.ErrTampered)
}

// unavailable is an answer about a key that does not open, whose error this is.
func (k key) unavailable(err error) error {
	missing, is := errors.AsType[*sealed.MissingKey](err)
	switch {
	case is:
		return problem.Newf(http.StatusServiceUnavailable, "The secret at %s of %s cannot be read: key %d is missing from the vault's keyset. "+
			"Ask the operator to put it back, or give the secret anew.", k.field, k.where(), missing.ID).Because(err)
	case unopened(err):
		return problem.Newf(http.StatusServiceUnavailable, "The secret at %s of %s cannot be read: it is damaged. Give it anew.",
			k.field, k.where()).Because(err)
	}
	return err
}

// openable refuses to go on where one of these does not open: it would go missing without a word.
func (s *Surface) openable(keys map[string]key) error {
	for _, k := range keys {
		if _, err := s.inClear(k); err != nil {
			return err
		}
	}
	return nil
}

func (k key) where() string {
	if k.doc.Name == "" {
		return string(k.doc.Kind)
	}
	return string(k.doc.Kind) + " '" + k.doc.Name + "'"
}

// packing begins what is kept of a list that holds texts: it is one secret.
const packing = "\x00list"

func packed(list []any) string {
	text, _ := json.Marshal(list) // it came from JSON
	return packing + string(text)
}

// unpacked is a secret as it was given.
func unpacked(value string) any {
	text, isList := strings.CutPrefix(value, packing)
	if !isList {
		return value
	}
	if list, err := decoded[[]any](text); err == nil {
		return list
	}
	return value
}
