package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Problem turns what means "the database is away" into a 503 and returns every other error as it is. It is for errors of
// queries; what is a problem already stays what it is.
func Problem(err error) error {
	if err == nil || !away(err) {
		return err
	}
	if _, ok := errors.AsType[*problem.Error](err); ok {
		return err
	}
	return problem.Unavailable("The database does not answer. Try again in a moment.", err)
}

// away knows the forms that an absent or overloaded database takes. A deadline surfaces as 57014 when the query had already
// begun. A caller who went away (context.Canceled) is not among them: nobody reads that answer.
func away(err error) bool {
	if e := pq.As(err); e != nil {
		return e.Code.Class() == pqerror.ClassConnectionException || awayCode(e.Code)
	}
	_, network := errors.AsType[*net.OpError](err)
	return network || closed(err) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, context.DeadlineExceeded)
}

// closed says whether the other end hung up, as a balancer does that has no server behind it.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func awayCode(code pqerror.Code) bool {
	switch code {
	case pqerror.AdminShutdown, pqerror.CrashShutdown, pqerror.CannotConnectNow, pqerror.DatabaseDropped,
		pqerror.TRDeadlockDetected, pqerror.TRSerializationFailure, pqerror.IdleSessionTimeout, pqerror.QueryCanceled, pqerror.TooManyConnections:
		return true
	}
	return false
}
