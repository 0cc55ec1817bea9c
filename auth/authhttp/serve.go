package authhttp

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"
)

// serve is the course of most handlers: who asks is found out, something is done for them, and what came of it is written with the
// status. Whoever reads a body does that before, so that a broken one is refused whoever sends it; what its fields mean is
// judged in do, of which strangers learn nothing.
func serve[Who, Answer any](
	c echo.Context, who func(echo.Context) (Who, error), do func(context.Context, Who) (Answer, error),
	write func(c echo.Context, status int, v any) error, status int,
) error {
	caller, err := who(c)
	if err != nil {
		return err
	}
	answer, err := do(c.Request().Context(), caller)
	if err != nil {
		return err
	}
	return write(c, status, answer)
}

// done answers 204, unless there was an error.
func done(c echo.Context, err error) error {
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// onlyCopy is reply for what nobody on the way may keep.
func onlyCopy(c echo.Context, status int, v any) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return reply(c, status, v)
}
