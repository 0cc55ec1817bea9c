package settings

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// shelf is one of the two sorts of profiles, which are renamed and deleted alike: those of models, and those of agents.
type shelf struct {
	kind   vault.Kind
	noun   string
	rename string // the upstream's model of a body with a new name
}

func modelProfiles() shelf {
	return shelf{kind: vault.KindProfile, noun: "Profile", rename: "RenameProfileRequest"}
}

func agentProfiles() shelf {
	return shelf{kind: vault.KindAgentProfile, noun: "Agent profile", rename: "RenameAgentProfileRequest"}
}

// missing says that there is no such profile.
func (f shelf) missing(name string) error {
	return problem.Newf(http.StatusNotFound, "%s '%s' not found", f.noun, clipped(name))
}

// named takes a profile's name from the path.
func named(x *proxy.Exchange) (string, error) {
	name := x.Param("name")
	switch {
	case name == "":
		return "", problem.Fields(fault("string_too_short", []any{"path", "name"}, "String should have at least 1 character"))
	case len(name) > 64:
		return "", problem.Fields(fault("string_too_long", []any{"path", "name"}, "String should have at most 64 characters"))
	case !profileName.MatchString(name):
		return "", badName([]any{"path", "name"})
	}
	return name, nil
}

func badName(loc []any) error {
	return problem.Fields(fault("string_pattern_mismatch", loc, "String should match pattern '%s'", profileName))
}

// rename gives a profile another name; what names it follows.
func (s *Surface) rename(x *proxy.Exchange, f shelf) error {
	q, err := s.begin(x, opening{name: named, body: f.rename, changes: true})
	if err != nil {
		return err
	}
	to, _ := q.body["new_name"].(string)
	err = s.changeShelf(q, f, func(c *vault.Changes) error { return f.renamed(c, q.scope, q.name, to) })
	switch {
	case errors.Is(err, vault.ErrMissing):
		return s.teamsOr(q, f.kind, q.name, f.missing(q.name))
	case errors.Is(err, vault.ErrExists):
		return problem.Newf(http.StatusConflict, "%s '%s' already exists", f.noun, to)
	case err != nil:
		return err
	}
	message := fmt.Sprintf("%s '%s' renamed to '%s'", f.noun, q.name, to)
	if q.name == to {
		message = fmt.Sprintf("%s '%s' unchanged (same name)", f.noun, q.name)
	}
	return q.JSON(http.StatusOK, map[string]any{"name": to, "message": message})
}

func (f shelf) renamed(c *vault.Changes, scope vault.Scope, from, to string) error {
	if err := c.Rename(f.kind, from, to); err != nil || f.kind != vault.KindProfile || from == to {
		return err
	}
	return follow(c, scope, from, to) // an agent profile is pointed to by its id
}

// remove deletes a profile; that it was not there is no error.
func (s *Surface) remove(x *proxy.Exchange, f shelf) error {
	q, err := s.begin(x, opening{name: named, changes: true})
	if err != nil {
		return err
	}
	removed := false
	err = s.change(q, func(c *vault.Changes) (err error) {
		if err := f.release(c, q.scope, q.name); err != nil {
			return err
		}
		removed, err = c.Delete(f.kind, q.name)
		return err
	})
	if err == nil && !removed {
		err = s.teamsOr(q, f.kind, q.name, nil)
	}
	if err != nil {
		return err
	}
	return q.JSON(http.StatusOK, map[string]any{"name": q.name, "message": f.noun + " '" + q.name + "' deleted"})
}

// release makes nothing point to a profile any more. A model's that an agent profile names stays.
func (f shelf) release(c *vault.Changes, scope vault.Scope, name string) error {
	docs, err := c.Layers(f.kind, vault.KindSettings, vault.KindAgentProfile)
	if err != nil {
		return err
	}
	h := holdings{docs: docs}
	if names := h.referrers(scope, name); f.kind == vault.KindProfile && len(names) > 0 {
		return problem.Newf(http.StatusConflict, "LLM profile is referenced by %d agent profile(s): %s", len(names), strings.Join(names, ", "))
	}
	p, settings := h.mine(scope, f.kind, name), h.mine(scope, vault.KindSettings, "")
	switch {
	case p == nil || settings == nil:
		return nil
	case f.kind == vault.KindProfile:
		return follow(c, scope, name, "")
	case settings.Body[activeAgentProfile] == p.Body["id"]:
		return point(c, "")
	}
	return nil
}
