package access

import (
	"strings"

	"github.com/google/uuid"
)

// Form is the way a credential came.
type Form uint8

// The forms. FormNone is the absence of any credential: anonymous, where the mode allows it.
const (
	FormNone    Form = iota
	FormBearer       // Authorization: Bearer
	FormKey          // X-Session-API-Key, ?session_api_key=, or the first frame of a WebSocket
	FormCookie       // our browser session: the only form that needs origin checks
	FormSession      // a session by its id, as a link that we signed names it; no client presents it
)

// Credential is what a client presented, as it came. It is never logged.
type Credential struct {
	Form  Form
	Token string
}

// Caller is a principal together with the credential that proved it, so that a long-lived connection can ask again.
type Caller struct {
	Principal  *Principal
	Credential Credential
}

// OfSession is the credential of whoever holds a session, for those who have proof of it other than its token. Without a user it
// is none: anonymous, where the mode allows it.
func OfSession(user, session uuid.UUID) Credential {
	if user == uuid.Nil {
		return Credential{}
	}
	return Credential{Form: FormSession, Token: user.String() + "/" + session.String()}
}

// Session returns what OfSession was given.
func (c Credential) Session() (user, session uuid.UUID, ok bool) {
	if c.Form != FormSession {
		return user, session, false
	}
	first, second, _ := strings.Cut(c.Token, "/")
	user, errUser := uuid.Parse(first)
	session, errSession := uuid.Parse(second)
	return user, session, errUser == nil && errSession == nil
}
