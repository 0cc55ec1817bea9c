package web

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/mail"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/ratelimit"
)

// The pages of administrators. To everybody else there are none: they answer as paths that do not exist.

const adminPage = "/account/admin"

// adminView is what those pages show.
type adminView struct {
	Search, Status string
	Users          []adminUser
	Next           string // query of the next page; empty: this is the last
	User           adminUser
	Link           *auth.SetupURL // that was just made
	Mails          []adminMail
	NoMail         bool // nothing is sent from here
	Bans           []adminBan
}

// adminUser is an account in words.
type adminUser struct {
	ID, Email, Name, State, Created, LastLogin string
	Active, Verified, Superuser, Password      bool
}

type adminMail struct{ To, Subject, Created, State, Error string }

type adminBan struct{ Kind, Key, Reason, By, Until string }

// administrator is the superuser who asks; everybody else gets problem.NotFound.
func (p *Pages) administrator(c echo.Context) (auth.Identity, error) {
	id, found := p.current(c)
	if !found || id.Superuser() != nil {
		return id, problem.NotFound
	}
	return id, nil
}

// AdminPage answers GET /account/admin: accounts, to be searched, and the form for another one.
func (p *Pages) AdminPage(c echo.Context) error {
	id, err := p.administrator(c)
	if err != nil {
		return err
	}
	v, err := p.users(c, id)
	if err != nil {
		return p.again(c, "message", v, err)
	}
	return p.render(c, http.StatusOK, "admin", v)
}

func (p *Pages) users(c echo.Context, id auth.Identity) (view, error) {
	q := auth.UserQuery{Search: c.QueryParam("q"), Status: c.QueryParam("status"), PageID: c.QueryParam("page_id")}
	v := view{Title: "Accounts", SignedIn: id.User.Email, Form: form{Return: start}, Admin: adminView{Search: q.Search, Status: q.Status}}
	page, err := p.cfg.Auth.Users(c.Request().Context(), q)
	if err != nil {
		return v, err
	}
	for _, a := range page.Items {
		v.Admin.Users = append(v.Admin.Users, adminUserOf(a))
	}
	if page.NextPageID != nil {
		v.Admin.Next = *page.NextPageID
	}
	return v, nil
}

func adminUserOf(a auth.Account) adminUser {
	u := adminUser{
		ID: a.ID.String(), Email: a.Email, State: "active", Created: a.CreatedAt.Format(time.DateOnly), LastLogin: "never signed in",
		Active: a.IsActive, Verified: a.IsVerified, Superuser: a.IsSuperuser, Password: a.HasPassword,
	}
	if a.Name != nil {
		u.Name = *a.Name
	}
	if a.LastLoginAt != nil {
		u.LastLogin = "last signed in " + a.LastLoginAt.Format(time.DateOnly)
	}
	if !a.IsActive {
		u.State = "suspended"
	}
	if !a.IsVerified {
		u.State += ", unverified"
	}
	if a.IsSuperuser {
		u.State += ", administrator"
	}
	return u
}

// AdminCreate answers POST /account/admin: an account without a password, and the link by which its owner chooses one.
func (p *Pages) AdminCreate(c echo.Context) error {
	id, err := p.administrator(c)
	if err != nil {
		return err
	}
	in, _, err := formOf(c)
	var made auth.User
	var link *auth.SetupURL
	if err == nil {
		made, link, err = p.cfg.Auth.AdminCreate(c.Request().Context(), id.Actor(), auth.NewAccount{Registration: in.registration("")})
	}
	if err != nil {
		v, listErr := p.users(c, id)
		if listErr != nil {
			return p.again(c, "message", v, listErr)
		}
		v.Form.Email, v.Form.Name = in.Email, in.Name
		return p.again(c, "admin", v, err)
	}
	return p.account(c, id, made.ID, http.StatusCreated, link, nil)
}

// AdminUserPage answers GET /account/admin/users/{user_id}.
func (p *Pages) AdminUserPage(c echo.Context) error {
	return p.aboutUser(c, func(id auth.Identity, user uuid.UUID) error {
		return p.account(c, id, user, http.StatusOK, nil, nil)
	})
}

// aboutUser is for a superuser and the user of the path.
func (p *Pages) aboutUser(c echo.Context, answer func(id auth.Identity, user uuid.UUID) error) error {
	id, err := p.administrator(c)
	if err != nil {
		return err
	}
	user, err := uuid.Parse(c.Param("user_id"))
	if err != nil {
		return problem.NotFound
	}
	return answer(id, user)
}

// account shows one account, with what went wrong or with a link that was just made.
func (p *Pages) account(c echo.Context, id auth.Identity, user uuid.UUID, status int, link *auth.SetupURL, fault error) error {
	account, err := p.cfg.Auth.Account(c.Request().Context(), user)
	if err != nil {
		return err
	}
	v := view{
		Title: "Account of " + account.Email, SignedIn: id.User.Email, Form: form{Return: start},
		Admin: adminView{User: adminUserOf(account), Link: link},
	}
	if fault == nil {
		return p.render(c, status, "admin-user", v)
	}
	p.askProof(&v, fault, adminPage+"/users/"+user.String())
	return p.again(c, "admin-user", v, fault)
}

// askProof leads to where somebody proves again who they are, when that is what is missing.
func (p *Pages) askProof(v *view, fault error, back string) {
	if stale(fault) {
		v.StepUp = stepUpPage + "?return=" + back
	}
}

// AdminUser answers POST /account/admin/users/{user_id}: what the button says is done.
func (p *Pages) AdminUser(c echo.Context) error {
	return p.aboutUser(c, func(id auth.Identity, user uuid.UUID) error {
		link, err := p.administer(c, id, user)
		switch {
		case err != nil:
			return p.account(c, id, user, 0, nil, err)
		case link != nil:
			return p.account(c, id, user, http.StatusCreated, link, nil)
		}
		return p.leave(c, adminPage+"/users/"+user.String())
	})
}

func (p *Pages) administer(c echo.Context, id auth.Identity, user uuid.UUID) (*auth.SetupURL, error) {
	ctx, by, what := c.Request().Context(), id.Actor(), c.Request().PostFormValue("do")
	acts := map[string]func(context.Context, auth.Actor, uuid.UUID) (auth.User, error){
		"suspend": p.cfg.Auth.Suspend, "reactivate": p.cfg.Auth.Reactivate, "verify": p.cfg.Auth.MarkVerified,
	}
	switch what {
	case "setup-link":
		if id.HasFactor { // it opens the account, as a new password would
			if err := p.cfg.Auth.RequireFresh(id); err != nil {
				return nil, err
			}
		}
		return p.cfg.Auth.SetupLinkFor(ctx, by, user)
	case "end-sessions":
		_, err := p.cfg.Auth.EndSessions(ctx, by, user)
		return nil, err
	case "grant-admin", "revoke-admin":
		if err := p.cfg.Auth.RequireFresh(id); err != nil {
			return nil, err
		}
		_, err := p.cfg.Auth.SetSuperuser(ctx, by, user, what == "grant-admin")
		return nil, err
	}
	act, known := acts[what]
	if !known {
		return nil, errForm
	}
	_, err := act(ctx, by, user)
	return nil, err
}

// AdminDeletePage answers GET /account/admin/users/{user_id}/delete: it asks once more.
func (p *Pages) AdminDeletePage(c echo.Context) error {
	return p.aboutUser(c, func(id auth.Identity, user uuid.UUID) error { return p.confirmDelete(c, id, user, nil) })
}

// AdminDelete answers POST /account/admin/users/{user_id}/delete.
func (p *Pages) AdminDelete(c echo.Context) error {
	return p.aboutUser(c, func(id auth.Identity, user uuid.UUID) error {
		err := p.cfg.Auth.RequireFresh(id)
		if err == nil {
			err = p.cfg.Auth.Delete(c.Request().Context(), id.Actor(), user)
		}
		if err != nil {
			return p.confirmDelete(c, id, user, err)
		}
		return p.leave(c, adminPage)
	})
}

func (p *Pages) confirmDelete(c echo.Context, id auth.Identity, user uuid.UUID, fault error) error {
	account, err := p.cfg.Auth.Account(c.Request().Context(), user)
	if err != nil {
		return err
	}
	v := view{Title: "Delete " + account.Email + "?", SignedIn: id.User.Email, Form: form{Return: start}, Admin: adminView{User: adminUserOf(account)}}
	if fault == nil {
		return p.render(c, http.StatusOK, "admin-delete", v)
	}
	p.askProof(&v, fault, adminPage+"/users/"+user.String()+"/delete")
	return p.again(c, "admin-delete", v, fault)
}

// mailsShown bounds the list of mails.
const mailsShown = 100

// AdminMailPage answers GET /account/admin/mail: what is not sent, and why.
func (p *Pages) AdminMailPage(c echo.Context) error {
	id, err := p.administrator(c)
	if err != nil || p.cfg.Outbox == nil {
		return problem.NotFound
	}
	v := view{Title: "Mail that is not sent", SignedIn: id.User.Email, Form: form{Return: start}}
	waiting, err := p.cfg.Outbox.Pending(c.Request().Context(), mailsShown)
	if err != nil {
		return p.again(c, "message", v, err)
	}
	v.Admin.NoMail = !p.cfg.Sends
	for _, m := range waiting {
		v.Admin.Mails = append(v.Admin.Mails, adminMailOf(m))
	}
	return p.render(c, http.StatusOK, "admin-mail", v)
}

func adminMailOf(m mail.Waiting) adminMail {
	shown := adminMail{To: m.To, Subject: m.Subject, Created: m.CreatedAt.UTC().Format(dayAndTime), Error: m.LastError, State: "waits"}
	switch {
	case m.FailedAt != nil:
		shown.State = "given up"
	case m.Attempts > 0:
		shown.State = "is tried again " + m.NextAttempt.UTC().Format(dayAndTime)
	}
	return shown
}

const dayAndTime = "2006-01-02 15:04 UTC"

// AdminBansPage answers GET /account/admin/bans: who is answered as if the password were wrong.
func (p *Pages) AdminBansPage(c echo.Context) error { return p.bans(c, nil) }

// AdminBans answers POST /account/admin/bans: a ban ends.
func (p *Pages) AdminBans(c echo.Context) error {
	id, err := p.administrator(c)
	if err != nil || p.cfg.Limiter == nil {
		return problem.NotFound
	}
	r := c.Request()
	if err := p.cfg.Limiter.Unban(r.Context(), r.PostFormValue("kind"), r.PostFormValue("key"), id.User.Email); err != nil {
		return p.bans(c, err)
	}
	return p.leave(c, adminPage+"/bans")
}

func (p *Pages) bans(c echo.Context, fault error) error {
	id, err := p.administrator(c)
	if err != nil || p.cfg.Limiter == nil {
		return problem.NotFound
	}
	v := view{Title: "Bans", SignedIn: id.User.Email, Form: form{Return: start}}
	bans, err := p.cfg.Limiter.Bans(c.Request().Context())
	if err != nil {
		return p.again(c, "message", v, err)
	}
	for _, b := range bans {
		v.Admin.Bans = append(v.Admin.Bans, adminBanOf(b))
	}
	if fault != nil {
		return p.again(c, "admin-bans", v, fault)
	}
	return p.render(c, http.StatusOK, "admin-bans", v)
}

func adminBanOf(b ratelimit.Ban) adminBan {
	return adminBan{Kind: b.Kind, Key: b.Key, Reason: b.Reason, By: b.MadeBy, Until: b.Until.UTC().Format(dayAndTime)}
}
