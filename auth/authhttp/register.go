package authhttp

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/body"
)

// Register answers POST /api/auth/register: 201 and the user.
func (h *Handlers) Register(c echo.Context) error {
	user, err := h.register(c, false)
	if err != nil {
		return err
	}
	return reply(c, http.StatusCreated, user)
}

// RegisterWithTeam answers POST /api/auth/register-with-team: 200 and the user together with the personal team.
func (h *Handlers) RegisterWithTeam(c echo.Context) error {
	user, err := h.register(c, true)
	if err != nil {
		return err
	}
	team, err := h.opts.TeamOf(c.Request().Context(), user.ID)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, struct {
		auth.User
		Team any `json:"team"`
	}{user, team})
}

// register keeps the contract's order: broken JSON, the right to register, the fields, the rules.
func (h *Handlers) register(c echo.Context, namesTeam bool) (auth.User, error) {
	o, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return auth.User{}, err
	}
	if err := h.auth.RegistrationOpen(); err != nil {
		return auth.User{}, err
	}
	r, err := registration(o, namesTeam)
	if err != nil {
		return auth.User{}, err
	}
	r.From, r.Proof = h.client(c), c.Request().Header.Get("X-Registration-Proof")
	return h.auth.Register(c.Request().Context(), r)
}

// registration asks for the fields in the order in which their faults are listed.
func registration(o *body.Object, namesTeam bool) (auth.Registration, error) {
	var r auth.Registration
	var ok bool
	if r.Email, ok = o.String("email", true); ok {
		o.Fault(auth.EmailFaults(r.Email)...)
	}
	r.Password, _ = o.String("password", true)
	for _, flag := range []string{"is_active", "is_superuser", "is_verified"} {
		o.Flag(flag) // must be readable, and counts for nothing
	}
	r.Name = name(o, "name", 0)
	if namesTeam {
		r.TeamName = name(o, "team_name", 1)
	}
	return r, o.Err()
}

func name(o *body.Object, field string, least int) *string {
	text, ok := o.String(field, false)
	if !ok {
		return nil
	}
	o.Fault(auth.NameFaults(field, text, least)...)
	return &text
}
