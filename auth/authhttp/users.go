package authhttp

import (
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/body"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// userParam is the path parameter of the routes of one user.
const userParam = "user_id"

// UpdateMe answers PATCH /api/users/me and /api/auth/users/me. Flags must be readable, and count for nothing. A key needs the scope
// write for name and picture, and admin for what one signs in with.
func (h *Handlers) UpdateMe(c echo.Context) error {
	o, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return err
	}
	least := access.ScopeWrite
	if o.Given("email") || o.Given("password") {
		least = access.ScopeAdmin
	}
	id, err := h.own(c, least)
	if err != nil {
		return err
	}
	if err := h.opts.CheckTeam(c.Request(), id); err != nil {
		return err
	}
	change, err := changeOf(o, false)
	if err != nil {
		return err
	}
	user, err := h.auth.UpdateMe(c.Request().Context(), id, change)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, user)
}

// GetUser answers GET /api/users/{id}, for superusers.
func (h *Handlers) GetUser(c echo.Context) error {
	_, user, err := h.userFor(c)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, user)
}

// UpdateUser answers PATCH /api/users/{id}, for superusers. A user who is not there is a 404 before any fault of a field.
func (h *Handlers) UpdateUser(c echo.Context) error {
	o, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return err
	}
	by, user, err := h.userFor(c)
	if err != nil {
		return err
	}
	change, err := changeOf(o, true)
	if err != nil {
		return err
	}
	user, err = h.auth.UpdateUser(c.Request().Context(), by, user.ID, change)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, user)
}

// DeleteUser answers DELETE /api/users/{id}, for superusers.
func (h *Handlers) DeleteUser(c echo.Context) error {
	by, user, err := h.userFor(c)
	if err != nil {
		return err
	}
	if err := h.auth.Delete(c.Request().Context(), by.Actor(), user.ID); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// userFor returns the superuser who asks, and the user of the path: first 401 and 403, then 404.
func (h *Handlers) userFor(c echo.Context) (by auth.Identity, user auth.User, err error) {
	if by, err = h.identity(c); err != nil {
		return by, user, err
	}
	if err := by.Superuser(); err != nil {
		return by, user, err
	}
	id, ok := userID(c.Param(userParam))
	if !ok {
		return by, user, problem.NotFound
	}
	user, err = h.auth.GetUser(c.Request().Context(), id)
	return by, user, err
}

// userID reads an id in any letter case, with its hyphens or without.
func userID(text string) (uuid.UUID, bool) {
	if len(text) != 36 && len(text) != 32 {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(text)
	return id, err == nil
}

// changeOf asks for the fields in the order in which their faults are listed. A superuser's flags are taken, so that null is a fault.
func changeOf(o *body.Object, flags bool) (auth.Change, error) {
	var change auth.Change
	if password, ok := o.String("password", false); ok {
		change.Password = &password
	}
	if email, ok := o.String("email", o.Given("email")); ok {
		o.Fault(auth.EmailFaults(email)...)
		change.Email = &email
	}
	change.IsActive = flagOf(o, "is_active", flags)
	change.Superuser = flagOf(o, "is_superuser", flags)
	change.Verified = flagOf(o, "is_verified", flags)
	change.Name = textOf(o, "name", func(text string) []problem.Field { return auth.NameFaults("name", text, 0) })
	change.AvatarURL = textOf(o, "avatar_url", auth.AvatarFaults)
	return change, o.Err()
}

// flagOf is nil when the flag is absent. Where it counts it cannot be null.
func flagOf(o *body.Object, name string, counts bool) *bool {
	read := o.Flag
	if counts && o.Given(name) {
		read = o.FlagNotNull
	}
	if value, ok := read(name); ok {
		return &value
	}
	return nil
}

// textOf is nil when the field is absent; null takes away what was there.
func textOf(o *body.Object, field string, faults func(string) []problem.Field) *auth.Text {
	if !o.Given(field) {
		return nil
	}
	text, ok := o.String(field, false)
	if !ok {
		return &auth.Text{}
	}
	o.Fault(faults(text)...)
	return &auth.Text{Value: &text}
}
