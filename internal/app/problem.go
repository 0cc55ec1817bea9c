package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// errorHandler is the one place where an error of our own routes becomes an answer.
func errorHandler(log *slog.Logger) echo.HTTPErrorHandler {
	return func(err error, c echo.Context) {
		if c.Response().Committed {
			return
		}
		p := problem.Of(translate(err))
		if p.Status >= http.StatusInternalServerError {
			log.Error("request failed", "method", c.Request().Method, "path", c.Path(), "status", p.Status, "error", err)
		}
		problem.Write(c.Response(), p)
	}
}

var (
	tooSlow  = problem.New(http.StatusRequestTimeout, "The body of this request took too long to arrive. Send it again.")
	tooLarge = problem.Newf(http.StatusRequestEntityTooLarge, "The request body is longer than %d bytes. Send less.", maxOwnBody)
)

// What a key may not do although its owner may; the proxy says the same.
var (
	errScope = problem.New(http.StatusForbidden, "The scope of this API key does not allow this. Use a key with a higher scope.")
	errBound = problem.New(http.StatusForbidden, "This API key is bound to another team. Use a key of this team, or one that is bound to none.")
)

// translate turns what lower layers say into problems: rights, the database's absence, and echo's own errors.
func translate(err error) error {
	switch {
	case errors.Is(err, access.ErrHidden):
		return problem.NotFound
	case errors.Is(err, access.ErrScope):
		return errScope
	case errors.Is(err, access.ErrBound):
		return errBound
	case errors.Is(err, access.ErrFactor):
		return auth.ErrFactorRequired
	case errors.Is(err, access.ErrForbidden):
		return problem.Forbidden
	case errors.Is(err, os.ErrDeadlineExceeded) && problem.Of(err).Status == http.StatusBadRequest: // not a call of the database
		return tooSlow.Because(err)
	}
	if he, ok := errors.AsType[*echo.HTTPError](err); ok {
		return fromEcho(he)
	}
	return postgres.Problem(err)
}

// fromEcho keeps echo's status; its own texts are the framework's words for 404 and 405, which are FastAPI's too.
func fromEcho(he *echo.HTTPError) error {
	if inner, ok := errors.AsType[*problem.Error](he.Internal); ok {
		return inner
	}
	if he.Code == http.StatusRequestEntityTooLarge {
		return tooLarge
	}
	return problem.New(he.Code, fmt.Sprint(he.Message)).Because(he.Internal)
}
