package settings

import (
	"context"
	"slices"
	"strings"

	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// roster is the agent profiles that count for a caller.
type roster struct {
	holdings
	seed map[string]any // not kept yet; nil where there are others
}

func (s *Surface) roster(ctx context.Context, w who) (roster, error) {
	h, err := s.holdings(ctx, w, vault.KindAgentProfile, vault.KindSettings, vault.KindProfile, vault.KindConnection)
	if err != nil {
		return roster{}, err
	}
	r := roster{holdings: h}
	if len(h.counting(vault.KindAgentProfile)) == 0 {
		r.seed, err = s.seed(ctx, h)
	}
	return r, err
}

// all lists the profiles by name.
func (r roster) all() []map[string]any {
	var found []map[string]any
	for _, d := range r.counting(vault.KindAgentProfile) {
		found = append(found, bodyOf(d))
	}
	if r.seed != nil {
		found = append(found, r.seed)
	}
	slices.SortFunc(found, func(a, b map[string]any) int { return strings.Compare(nameOf(a), nameOf(b)) })
	return found
}

// bodyOf is a kept profile. Its name is the document's.
func bodyOf(d *vault.Document) map[string]any {
	d.Body["name"] = d.Name
	return d.Body
}

// named finds a profile by its name.
func (r roster) named(name string) map[string]any {
	if d := r.find(r.who.own(), vault.KindAgentProfile, name); d != nil {
		return bodyOf(d)
	}
	if r.seed != nil && name == seedName {
		return r.seed
	}
	return nil
}

// active is the id of the active profile, nil for none: the highest layer's that names one which is there. One's own profile
// stands for the team's of the same name.
func (r roster) active() any {
	var id any
	for _, d := range r.docs {
		pointer, set := d.Body[activeAgentProfile].(string)
		if d.Kind != vault.KindSettings || !set {
			continue
		}
		if p := r.agentProfile(pointer); p != nil {
			id = r.named(p.Name)["id"]
		}
	}
	if r.seed != nil {
		return r.seed["id"]
	}
	return id
}
