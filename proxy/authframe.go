package proxy

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// maxAuthFrame is the largest first message that is read in search of a credential.
const maxAuthFrame = 16 << 10

// placeholder is what the Canvas UI sends in the place of a key: the request's own credential, the cookie, counts.
const placeholder = "cookie"

// authFrame reads the message by which OpenHands' clients authenticate a WebSocket. Extra members are allowed; names are
// case-sensitive. key is "" for the placeholder.
func authFrame(message []byte) (key string, ok bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(message, &members) != nil {
		return "", false
	}
	var kind string
	if json.Unmarshal(members["type"], &kind) != nil || kind != "auth" {
		return "", false
	}
	raw, present := members["session_api_key"]
	if !present || bytes.Equal(raw, []byte("null")) || json.Unmarshal(raw, &key) != nil {
		return "", false
	}
	if key == placeholder {
		key = ""
	}
	return key, true
}

// isAuthFrame says whether a message is one by which clients authenticate.
func isAuthFrame(message []byte) bool {
	if !mayBeAuthFrame(message) {
		return false
	}
	_, ok := authFrame(message)
	return ok
}

// mayBeAuthFrame is a quick look that spares most messages the parser. A name can also be spelled with escapes.
func mayBeAuthFrame(message []byte) bool {
	return len(message) <= maxAuthFrame && (bytes.Contains(message, []byte("session_api_key")) || bytes.Contains(message, []byte(`\u`)))
}

// presentsKey says whether a request itself carries a key, good or bad: then no frame is waited for.
func presentsKey(r *http.Request, t Target) bool {
	for _, v := range append(r.Header["X-Session-Api-Key"], t.query["session_api_key"]...) {
		if v != "" && v != placeholder {
			return true
		}
	}
	return len(r.Header["Authorization"]) > 0
}
