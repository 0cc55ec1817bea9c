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

// UpdateMe answers PATCH /api/users/me and /api/auth/users/me. Flags must be readable, and count for nothing. A key with the scope
// write may change name and picture, and none what one signs in with; of whoever has a second factor that takes a fresh proof.
func (h *Handlers) UpdateMe(c echo.Context) error {
	o, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return err
	}
	may := anytime
	if o.Given("email") || o.Given("password") {
		may = h.mayChangeSignIn
	}
	id, err := h.own(c, access.ScopeWrite)
	if err != nil {
		return err
	}
	if err := may(id); err != nil {
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
	_, user, err := h.userFor(c, anytime)
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
	by, user, err := h.changing(c)
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
	by, user, err := h.changing(c)
	if err != nil {
		return err
	}
	return done(c, h.auth.Delete(c.Request().Context(), by.Actor(), user.ID))
}

// changing is userFor for what changes an account.
func (h *Handlers) changing(c echo.Context) (auth.Identity, auth.User, error) {
	return h.userFor(c, h.freshFactor)
}

func anytime(auth.Identity) error { return nil }

var errKeySignsIn = problem.New(http.StatusForbidden, "An API key cannot change what its owner signs in with. Sign in, and do this in the session.")

// mayChangeSignIn is for one's own address and password. A key would make a session of itself by them.
func (h *Handlers) mayChangeSignIn(by auth.Identity) error {
	if by.Key {
		return errKeySignsIn
	}
	return h.freshFactor(by)
}

// freshFactor asks whoever has a second factor for a fresh proof. The contract's clients know no such question, so that others
// are not asked.
func (h *Handlers) freshFactor(by auth.Identity) error {
	if !by.HasFactor {
		return nil
	}
	return h.auth.RequireFresh(by)
}

// userFor returns the superuser who asks, and the user of the path: first 401 and 403, then 404. may can refuse the superuser.
func (h *Handlers) userFor(c echo.Context, may func(auth.Identity) error) (by auth.Identity, user auth.User, err error) {
	if by, err = h.identity(c); err != nil {
		return by, user, err
	}
	if err := by.Superuser(); err != nil {
		return by, user, err
	}
	if err := may(by); err != nil {
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
