// Package problem owns the errors that people see: a kind (which is a status), a safe text or a list of field faults, and the
// cause, which is logged and never shown.
//
// Its key idea: errors are made in the domain and turned into a response in exactly one place, Write, in the shape that
// OpenHands' clients already read: {"detail": …}.
package problem

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// Error is a problem with a status and a text that anybody may read.
type Error struct {
	Status     int
	Detail     any            // a string, a []Field or an object with "code" and "reason"
	With       map[string]any // further members of the answer, beside detail; nil: none
	RetryAfter time.Duration  // sent as Retry-After when positive, rounded up to seconds
	Cause      error          // for the log only
}

// Field is one fault of a 422, in FastAPI's form. Input is always present, so it may be null.
type Field struct {
	Type  string         `json:"type"`
	Loc   []any          `json:"loc"`
	Msg   string         `json:"msg"`
	Input any            `json:"input"`
	Ctx   map[string]any `json:"ctx,omitempty"`
}

// New makes a problem with a text that says what went wrong and what to do.
func New(status int, detail string) *Error { return &Error{Status: status, Detail: detail} }

// Newf is New with a format. Nothing secret and nothing of the inside may be among args.
func Newf(status int, format string, args ...any) *Error {
	return New(status, fmt.Sprintf(format, args...))
}

// Fields makes a 422 of one or more faults.
func Fields(faults ...Field) *Error {
	return &Error{Status: http.StatusUnprocessableEntity, Detail: faults}
}

// Unavailable makes a 503 that asks to come back.
func Unavailable(detail string, cause error) *Error {
	return &Error{Status: http.StatusServiceUnavailable, Detail: detail, RetryAfter: 2 * time.Second, Cause: cause}
}

// Because returns a copy with a cause for the log.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.Cause = cause
	return &c
}

// Error names status, detail and cause: for logs, not for clients.
func (e *Error) Error() string {
	if e.Cause == nil {
		return fmt.Sprintf("%d %v", e.Status, e.Detail)
	}
	return fmt.Sprintf("%d %v: %v", e.Status, e.Detail, e.Cause)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// The framework's own answers, to the letter of FastAPI.
var (
	Unauthorized     = New(http.StatusUnauthorized, "Unauthorized")
	Forbidden        = New(http.StatusForbidden, "Forbidden")
	NotFound         = New(http.StatusNotFound, "Not Found")
	MethodNotAllowed = New(http.StatusMethodNotAllowed, "Method Not Allowed")
)

// Of finds the problem in err's chain; an error that is none becomes a 500 that shows nothing.
func Of(err error) *Error {
	if p, ok := errors.AsType[*Error](err); ok {
		return p
	}
	return &Error{Status: http.StatusInternalServerError, Detail: "Something failed on our side; it was logged. Try again.", Cause: err}
}

// Body is what Write writes, for answers that are made in another way.
func Body(err error) []byte {
	p := Of(err)
	members := maps.Clone(p.With)
	if members == nil {
		members = map[string]any{}
	}
	members["detail"] = p.Detail
	body, _ := json.Marshal(members)
	return body
}

// Write answers with err as JSON. It must be called before anything was written.
func Write(w http.ResponseWriter, err error) {
	p := Of(err)
	body := Body(p)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store") // some statuses, such as 404 and 410, may be kept by anybody who is not told otherwise
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((p.RetryAfter+time.Second-1)/time.Second)))
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(body)
}
