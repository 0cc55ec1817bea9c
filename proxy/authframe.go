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
	raw, present := members[keyMember]
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
	return bytes.Contains(message, []byte(keyMember)) || bytes.Contains(message, []byte(`\u`))
}

// keyMember is the name of the member that holds the credential.
const keyMember = "session_api_key"

// keyWatch finds, in a message too long to be looked at whole, the name of the member that would hold a credential, before a
// byte of that credential was seen. It follows just as much of JSON as it must: whether a string is the name of a member of the
// outermost object. The zero value is at the beginning of a message.
type keyWatch struct {
	depth   int
	name    bool // a string here would be the name of a member
	inside  bool // a string
	escaped bool // the next character of it
	text    []byte
}

// maxName is the longest spelling of the name: every character as an escape, and the quotes.
const maxName = 6*len(keyMember) + 2

// saw says whether the name ends in this piece of the message.
func (k *keyWatch) saw(piece []byte) bool {
	for _, c := range piece {
		if k.step(c) {
			return true
		}
	}
	return false
}

func (k *keyWatch) step(c byte) bool {
	if k.inside {
		return k.letter(c)
	}
	switch c {
	case '"':
		k.inside, k.text = true, append(k.text[:0], c)
	case '{', '[':
		k.depth++
		k.name = c == '{'
	case '}', ']':
		k.depth--
	case ',':
		k.name = true // or the next of a list, which at depth 1 is no name: harmless
	case ':':
		k.name = false
	}
	return false
}

// letter is step within a string.
func (k *keyWatch) letter(c byte) bool {
	if len(k.text) < maxName {
		k.text = append(k.text, c)
	} else {
		k.text[0] = 0 // too long to be the name
	}
	switch {
	case k.escaped:
		k.escaped = false
	case c == '\\':
		k.escaped = true
	case c == '"':
		k.inside = false
		var name string
		return k.depth == 1 && k.name && json.Unmarshal(k.text, &name) == nil && name == keyMember
	}
	return false
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
