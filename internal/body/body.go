// Package body owns the reading of request bodies in the way FastAPI's clients know it: JSON objects and login forms, and the
// faults of a 422 in its shape.
//
// It never decides what a value means, and never echoes a secret. Its key idea: what is wrong with single fields is collected in
// the order in which the fields are asked for, so that one answer names all of them.
package body

import (
	"errors"
	"io"
	"net/http"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Faults collects what is wrong with the fields of a body.
type Faults struct{ found []problem.Field }

// Fault adds faults to those found so far.
func (f *Faults) Fault(faults ...problem.Field) { f.found = append(f.found, faults...) }

// Err returns the 422 that names every fault, or nil.
func (f *Faults) Err() error {
	if len(f.found) == 0 {
		return nil
	}
	return problem.Fields(f.found...)
}

func (f *Faults) add(kind, msg string, input any, loc ...any) {
	f.Fault(problem.Field{Type: kind, Loc: append([]any{"body"}, loc...), Msg: msg, Input: input})
}

// readAll reads at most limit bytes. A body that is cut off by the client is the client's fault, not ours.
func readAll(r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if _, over := errors.AsType[*http.MaxBytesError](err); over || int64(len(data)) > limit {
		return nil, problem.Newf(http.StatusRequestEntityTooLarge, "The request body is longer than %d bytes. Send less.", limit)
	}
	if err != nil {
		return nil, unreadable().Because(err)
	}
	return data, nil
}

func unreadable() *problem.Error {
	return problem.New(http.StatusBadRequest, "There was an error parsing the body")
}
