package apikey

import (
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/body"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Page is a part of a list.
type Page struct {
	Items []Key      `json:"items"`
	Next  *uuid.UUID `json:"next_page_id"` // null behind the last one
}

// Window says which part of a list is wanted.
type Window struct {
	Limit int
	After uuid.UUID // the Next of the page before; uuid.Nil for the first
}

// ReadWindow reads ?limit and ?page_id.
func ReadWindow(r *http.Request) (Window, error) {
	w := Window{Limit: Most}
	query := r.URL.Query()
	var faults []problem.Field
	fault := func(name, msg string) {
		faults = append(faults, problem.Field{Type: "value_error", Loc: []any{"query", name}, Msg: msg, Input: query.Get(name)})
	}
	if query.Has("limit") {
		n, err := strconv.Atoi(query.Get("limit"))
		if w.Limit = n; err != nil || n < 1 || n > Most {
			fault("limit", "Input should be a whole number between 1 and "+strconv.Itoa(Most))
		}
	}
	if query.Has("page_id") {
		id, err := uuid.Parse(query.Get("page_id"))
		if w.After = id; err != nil {
			fault("page_id", "Input should be the next_page_id of another page")
		}
	}
	if len(faults) > 0 {
		return Window{}, problem.Fields(faults...)
	}
	return w, nil
}

// ReadDraft takes from a request what it says of a new key. All faults are reported at once.
func (s *Service) ReadDraft(sent *body.Object) (d Draft, err error) {
	var named bool
	d.Name, named = sent.String("name", true)
	if scopes, given := sent.Texts("scopes"); given {
		if d.Scopes = scopes; len(scopes) == 0 {
			sent.Fault(noScopes())
		}
	}
	if team, given := sent.String("team_id", false); given {
		id, err := uuid.Parse(team)
		if d.TeamID = &id; err != nil {
			sent.Fault(body.Refused("team_id", "it must be the id of one of your teams", team))
		}
	}
	if until, given := sent.Time("expires_at"); given {
		d.ExpiresAt = &until
	}
	checked := d
	if !named {
		checked.Name = "missing, which is said already"
	}
	sent.Fault(checked.Faults(s.cfg.Now())...)
	return d, sent.Err()
}

// ReadChange takes from a request what it wants different of a key. An expiry of null is none any more.
func (s *Service) ReadChange(sent *body.Object) (c Change, err error) {
	if name, given := sent.String("name", false); given {
		c.Name = &name
	}
	if scopes, given := sent.Texts("scopes"); given {
		if c.Scopes = scopes; len(scopes) == 0 {
			sent.Fault(noScopes())
		}
	}
	if until, given := sent.Time("expires_at"); given {
		c.ExpiresAt = &until
	}
	c.Lasting = sent.Given("expires_at") && c.ExpiresAt == nil
	sent.Fault(c.Faults(s.cfg.Now())...)
	return c, sent.Err()
}

func noScopes() problem.Field {
	return problem.Field{
		Type: "too_short", Loc: []any{"body", "scopes"}, Msg: "List should have at least 1 item", Input: []string{}, Ctx: map[string]any{"min_length": 1},
	}
}

// ReadRotation takes from a request how a key is to be replaced.
func (s *Service) ReadRotation(sent *body.Object) (Rotation, error) {
	rotation := Rotation{Overlap: DefaultOverlap}
	if seconds, given := sent.Whole("overlap_seconds", 0, int(MaxOverlap.Seconds())); given {
		rotation.Overlap = time.Duration(seconds) * time.Second
	}
	if until, given := sent.Time("expires_at"); given {
		rotation.ExpiresAt = &until
	}
	sent.Fault(timeFaults(rotation.ExpiresAt, s.cfg.Now())...)
	return rotation, sent.Err()
}
