package web

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"
)

// byLink shows a page to whoever holds a good one-time link. Looking at it, as mail scanners do, does not use it up.
func (p *Pages) byLink(c echo.Context, page string, v view, check func(ctx context.Context, token string) error) error {
	if err := check(c.Request().Context(), c.Param("token")); err != nil {
		return p.again(c, "message", v, err)
	}
	return p.render(c, http.StatusOK, page, v)
}
