// Package files owns how a single-user agent-server of generation 1.49 keeps settings, secrets and profiles on its disk, sealed
// with OH_SECRET_KEY or in clear. It reads them; it never writes one, and does not judge what they say.
//
// Its key idea: all or nothing. Where the upstream goes on without a value that does not open, here that is a fault with its file
// and its place, and all faults come together. No fault says anything of a value.
package files

import (
	"fmt"
	"strings"

	"github.com/openhands-saas/openhands-saas/internal/fernet"
)

// Kind is what an item is.
type Kind string

// The kinds, in the order in which one needs the other.
const (
	Connection   Kind = "connection"
	Profile      Kind = "llm_profile"
	Secret       Kind = "secret"
	AgentProfile Kind = "agent_profile"
	Workspaces   Kind = "workspaces"
	Settings     Kind = "settings"
)

// Mask is what the upstream writes where it hides a secret: it holds no value.
const Mask = "**********"

// Item is one thing that was kept, in clear.
type Item struct {
	Place  Place
	Kind   Kind
	Name   string // none of settings and workspaces
	Body   map[string]any
	Opened []string // JSON pointers below Body to the values that were sealed
}

// Place is where something stands: a file, by its path below the folder, and the way to a member in it, with slashes.
type Place struct{ File, Member string }

// String is how people, and --skip, name it.
func (p Place) String() string {
	if p.Member == "" {
		return p.File
	}
	return p.File + ":" + p.Member
}

// At is a place below this one.
func (p Place) At(steps ...string) Place {
	for _, step := range steps {
		p.Member = strings.TrimPrefix(p.Member+"/"+step, "/")
	}
	return p
}

// Note says something of a place.
type Note struct {
	Place Place
	Text  string
}

// Faults are the reasons why nothing can be taken.
type Faults []Note

// Error names all of them, on one line.
func (f Faults) Error() string {
	texts := make([]string, len(f))
	for i, note := range f {
		texts[i] = note.Place.String() + ": " + note.Text
	}
	return strings.Join(texts, "; ")
}

// Found is what folders hold.
type Found struct {
	Items   []Item
	Skipped []Note // what is there and holds nothing, or was to be left out
}

// Options say how folders are read.
type Options struct {
	Key  *fernet.Key // of OH_SECRET_KEY; nil where nothing is sealed
	Skip []string    // places to leave out, as Place.String names them; a folder's name stands for all files in it
}

// Read reads folders: the upstream keeps settings and profiles in two where OH_PERSISTENCE_DIR does not name one for all. What
// cannot be read comes as Faults.
func Read(folders []string, o Options) (*Found, error) {
	r := &reader{Options: o, many: len(folders) > 1, skipped: map[string]bool{}}
	for _, folder := range folders {
		if err := r.folder(folder); err != nil {
			return nil, err
		}
	}
	r.unknownSkips()
	if len(r.faults) == 0 && !r.any {
		return nil, fmt.Errorf("there is nothing of OpenHands in %s: the folder must hold settings.json, secrets.json, profiles or the like "+
			"(OH_PERSISTENCE_DIR, else .openhands beside the conversations' folder and in the home folder)", strings.Join(folders, ", "))
	}
	r.twice()
	if len(r.faults) > 0 {
		return nil, r.faults
	}
	return &r.found, nil
}

func (r *reader) fault(p Place, format string, args ...any) {
	r.faults = append(r.faults, Note{Place: p, Text: fmt.Sprintf(format, args...)})
}

func (r *reader) skip(p Place, format string, args ...any) {
	r.found.Skipped = append(r.found.Skipped, Note{Place: p, Text: fmt.Sprintf(format, args...)})
}

// twice finds what two folders have.
func (r *reader) twice() {
	seen := map[string]Place{}
	for _, item := range r.found.Items {
		id := string(item.Kind) + " " + item.Name
		if first, is := seen[id]; is {
			r.fault(item.Place, "this is in %s, too: leave one of them out", first)
		}
		seen[id] = item.Place
	}
}
