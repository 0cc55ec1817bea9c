package web

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

const (
	keysPage  = "/account/keys"
	keysTitle = "Your API keys"
)

// KeysPage answers GET /account/keys: somebody's API keys, each with a button that revokes it, and the form for a new one.
func (p *Pages) KeysPage(c echo.Context) error {
	return p.ofUser(c, "keys", p.keys)
}

// ChangeKeys answers POST /account/keys: a key is made, which the page shows once, or one is revoked.
func (p *Pages) ChangeKeys(c echo.Context) error {
	id, found := p.current(c)
	if !found {
		return p.leave(c, loginPage)
	}
	if which := c.Request().PostFormValue("revoke"); which != "" {
		return p.revokeKey(c, id, which)
	}
	made, err := p.makeKey(c, id)
	v, listErr := p.keys(c, id)
	switch {
	case listErr != nil && err == nil: // the key must be shown: there is no other time for it
		v.Faults = []string{"The other keys could not be listed."}
	case listErr != nil:
		return p.again(c, "message", v, listErr)
	case err != nil:
		v.Form.Name = c.Request().PostFormValue("name")
		p.askProof(&v, err, keysPage)
		return p.again(c, "keys", v, err)
	}
	v.NewKey = made.Secret
	return p.render(c, http.StatusCreated, "keys", v)
}

// makeKey makes the key of the form. Whoever wants one that may do everything must have proved a moment ago who they are.
func (p *Pages) makeKey(c echo.Context, id auth.Identity) (apikey.Created, error) {
	r := c.Request()
	draft := apikey.Draft{Name: r.PostFormValue("name"), Scopes: []string{r.PostFormValue("scope")}}
	if draft.Scopes[0] == string(access.ScopeAdmin) {
		if err := p.cfg.Auth.RequireFresh(id); err != nil {
			return apikey.Created{}, err
		}
	}
	days, known := lifetimes[r.PostFormValue("lasts")]
	if !known {
		return apikey.Created{}, errForm
	}
	if days > 0 {
		until := p.cfg.Keys.Now().AddDate(0, 0, days)
		draft.ExpiresAt = &until
	}
	if team := r.PostFormValue("team"); team != "" {
		bound, err := uuid.Parse(team)
		if err != nil {
			return apikey.Created{}, errForm
		}
		draft.TeamID = &bound
	}
	act := ownKeys(id)
	act.Allowed = func(ctx context.Context, tx *postgres.Tx) error { return p.cfg.Auth.Stands(ctx, tx, id.Session) }
	return p.cfg.Keys.Create(r.Context(), act, draft)
}

// lifetimes are the choices of the form, in days; none for ever.
var lifetimes = map[string]int{"30": 30, "90": 90, "365": 365, "": 0}

var errForm = problem.New(http.StatusBadRequest, "This form could not be read. Send it again.")

func (p *Pages) revokeKey(c echo.Context, id auth.Identity, which string) error {
	key, err := uuid.Parse(which)
	if err != nil {
		key = uuid.Nil // which is no key's
	}
	if err := p.cfg.Keys.Revoke(c.Request().Context(), ownKeys(id), key); err != nil {
		v, listErr := p.keys(c, id)
		if listErr != nil {
			return p.again(c, "message", v, listErr)
		}
		return p.again(c, "keys", v, err)
	}
	return p.leave(c, keysPage)
}

func ownKeys(id auth.Identity) apikey.Act {
	return apikey.Act{Owner: id.User.ID, ActorID: id.User.ID, Actor: id.User.Email}
}

// keys is the page's content, or only its title.
func (p *Pages) keys(c echo.Context, id auth.Identity) (view, error) {
	v := view{Title: keysTitle, SignedIn: id.User.Email, Teams: p.teams(c), Form: form{Return: start}}
	page, err := p.cfg.Keys.List(c.Request().Context(), id.User.ID, apikey.Window{Limit: apikey.Most})
	if err != nil {
		return v, err
	}
	for _, k := range page.Items {
		v.Keys = append(v.Keys, keyViewOf(k, v.Teams, p.cfg.Keys.Now()))
	}
	return v, nil
}

// keyView is a key in words.
type keyView struct {
	apikey.Key
	May, Team, Made, Used, Ends string
}

func keyViewOf(k apikey.Key, teams []Team, now time.Time) keyView {
	words := keyView{Key: k, May: mays[k.Scope()], Made: moment(k.CreatedAt), Used: "never used"}
	if k.LastUsedAt != nil {
		words.Used = "last used " + moment(*k.LastUsedAt)
	}
	switch {
	case k.ExpiresAt == nil:
		words.Ends = "does not expire"
	case k.Over(now):
		words.Ends = "expired " + moment(*k.ExpiresAt)
	default:
		words.Ends = "expires " + moment(*k.ExpiresAt)
	}
	if k.TeamID != nil {
		words.Team = "a team that you are not in"
		for _, t := range teams {
			if t.ID == k.TeamID.String() {
				words.Team = t.Name
			}
		}
	}
	return words
}

// mays say what the scopes allow.
var mays = map[access.Scope]string{access.ScopeRead: "may read", access.ScopeWrite: "may read and work", access.ScopeAdmin: "may do all that you may"}
