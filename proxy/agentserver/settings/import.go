package settings

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/files"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// Import says where and how a single user's documents go.
type Import struct {
	Scope   vault.Scope
	By      vault.By
	Replace bool // what is there already
	DryRun  bool // judge everything, and keep nothing
}

// The outcomes of an import.
const (
	Taken    = "taken"
	Replaced = "replaced"
	Present  = "exists"
	Skipped  = "skipped"
)

// Outcome is what became of one thing.
type Outcome struct {
	files.Note
	What string
}

// errDry ends a transaction that was a rehearsal.
var errDry = errors.New("nothing was to be kept")

// Import puts what was found into a scope, all of it or nothing: what cannot be taken comes as files.Faults. Everything is judged as
// if its owner had sent it.
func (s *Surface) Import(ctx context.Context, in Import, found *files.Found) ([]Outcome, error) {
	still, err := s.still(ctx)
	if err != nil {
		return nil, err
	}
	i := &importer{
		Surface: still, Import: in, ctx: ctx, found: found, agents: map[string]string{},
		who: who{Team: in.Scope.Team, User: in.Scope.User, Role: access.Owner, by: in.By},
	}
	for _, note := range found.Skipped {
		i.outcomes = append(i.outcomes, Outcome{note, Skipped})
	}
	keepers, err := i.prepared() // addresses are looked up here, while nothing is locked
	if err != nil {
		return nil, err
	}
	err = s.Vault.Change(ctx, in.Scope, in.By, func(c *vault.Changes) error { return i.keep(c, keepers) })
	if err != nil && !errors.Is(err, errDry) {
		return nil, err
	}
	return i.outcomes, nil
}

type importer struct {
	*Surface // asks nothing
	Import
	ctx      context.Context // of the call; the importer does not outlive it
	who      who
	found    *files.Found
	agents   map[string]string // ids of agent profiles: the file's, and ours
	outcomes []Outcome
}

// keeper puts one item, which was judged, into its place.
type keeper struct {
	item files.Item
	keep func(*vault.Changes) error
}

func (i *importer) prepared() ([]keeper, error) {
	var all []keeper
	var faults files.Faults
	for _, item := range i.found.Items {
		keep, err := i.prepare(item)
		if err != nil {
			more, is := placedIn(item.Place, err)
			if !is {
				return nil, err
			}
			faults = append(faults, more...)
		} else if keep != nil {
			all = append(all, keeper{item, keep})
		}
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return all, nil
}

// prepare judges an item; nil where there is nothing to keep.
func (i *importer) prepare(item files.Item) (func(*vault.Changes) error, error) {
	if err := sealedPlaces(item); err != nil {
		return nil, err
	}
	switch item.Kind {
	case files.Connection:
		return i.connection(item)
	case files.Profile:
		return i.profile(item)
	case files.Secret:
		return i.secret(item)
	case files.AgentProfile:
		return i.agentProfile(item)
	case files.Workspaces:
		return i.workspaces(item)
	case files.Settings:
		return i.settings(item)
	}
	return nil, fmt.Errorf("an item of kind %q is not known", item.Kind)
}

// sealedPlaces refuses sealed values where none are kept sealed: they would lie in clear.
func sealedPlaces(item files.Item) error {
	reviewed := map[files.Kind]places{
		files.Connection: placesOf(connectionKey), files.Profile: llmSecretPlaces(), files.Secret: placesOf("/secret"),
		files.Settings: settingsPlaces(),
	}[item.Kind]
	var faults []problem.Field
	for _, pointer := range item.Opened {
		if path := steps(pointer); !reviewed.nature(path).sealed() {
			loc := make([]any, len(path))
			for n, step := range path {
				loc[n] = step
			}
			faults = append(faults, fault("value_error", loc, "A sealed value stands where no secrets are kept"))
		}
	}
	if len(faults) > 0 {
		return problem.Fields(faults...)
	}
	return nil
}

// settingsPlaces are those of a settings document.
func settingsPlaces() places {
	var all places
	for _, pattern := range secretPlaces() {
		all = append(all, append([]string{agentSettings}, pattern...))
	}
	return all
}

func (i *importer) keep(c *vault.Changes, keepers []keeper) error {
	for _, k := range keepers {
		if err := k.keep(c); err != nil {
			if faults, is := placedIn(k.item.Place, err); is {
				return faults
			}
			return err
		}
	}
	if i.DryRun {
		return errDry
	}
	return nil
}

// outcome notes what became of a place.
func (i *importer) outcome(what string, at files.Place, format string, args ...any) {
	i.outcomes = append(i.outcomes, Outcome{files.Note{Place: at, Text: fmt.Sprintf(format, args...)}, what})
}

// document gives what keeps an item that is a document of its own.
func (i *importer) document(item files.Item, kind vault.Kind, name string, change func(*vault.Draft) error) func(*vault.Changes) error {
	return func(c *vault.Changes) error {
		present, err := i.present(c, kind, name)
		if err != nil {
			return err
		}
		if present != nil && !i.Replace {
			i.outcome(Present, item.Place, "")
			return nil
		}
		_, err = c.Update(kind, name, func(d *vault.Draft) error {
			d.ClearBelow("")
			return change(d)
		})
		if err == nil {
			i.outcome(map[bool]string{true: Replaced, false: Taken}[present != nil], item.Place, "")
		}
		return limited(err, "There may be %d of these at most: remove some, or leave some out.")
	}
}

// present is the scope's own document of a name.
func (i *importer) present(c *vault.Changes, kind vault.Kind, name string) (*vault.Document, error) {
	docs, err := c.Layers(kind)
	if err != nil {
		return nil, err
	}
	n := slices.IndexFunc(docs, func(d *vault.Document) bool { return d.Scope == i.Scope && d.Name == name })
	if n < 0 {
		return nil, nil
	}
	return docs[n], nil
}

// placedIn are the faults that an error is about, with their places in a file. One of ours, or of the database, is none.
func placedIn(at files.Place, err error) (files.Faults, bool) {
	p, is := errors.AsType[*problem.Error](err)
	if !is || p.Status >= 500 {
		return nil, false
	}
	var faults files.Faults
	add := func(loc []any, text any) {
		place := at
		for _, step := range loc {
			place = place.At(fmt.Sprint(step))
		}
		faults = append(faults, files.Note{Place: place, Text: fmt.Sprint(text)})
	}
	switch detail := p.Detail.(type) {
	case []problem.Field:
		for _, f := range detail {
			add(f.Loc, f.Msg)
		}
	case []any: // of agent profiles
		for _, entry := range detail {
			f, _ := entry.(map[string]any)
			loc, _ := f["loc"].([]any)
			add(loc, f["msg"])
		}
	default:
		add(nil, detail)
	}
	return faults, true
}

// ofTeam says whether the documents become the team's.
func (i *importer) ofTeam() bool { return i.Scope.User == uuid.Nil }
