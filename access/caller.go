package access

// Form is the way a credential came.
type Form uint8

// The forms. FormNone is the absence of any credential: anonymous, where the mode allows it.
const (
	FormNone   Form = iota
	FormBearer      // Authorization: Bearer
	FormKey         // X-Session-API-Key, ?session_api_key=, or the first frame of a WebSocket
	FormCookie      // our browser session: the only form that needs origin checks
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
