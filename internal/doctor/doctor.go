// Package doctor examines an installation, from its configuration to a WebSocket through its public address, and says what to
// do about what it finds.
//
// It owns the checks and their texts. It changes nothing: the database and the upstream are only read, and the public address
// gets no credential but a made-up one. Its key idea: every check ends in findings of one form, and whatever is not well says
// what to do; a check that cannot be made says what stands in its way.
package doctor

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// Config is the installation as its configuration describes it. A part that is nil is left out, with a word.
type Config struct {
	Problems []string // what is wrong with the configuration; each says what to do
	Notices  []string // what is remarkable about it

	Database *Database
	Vault    *Vault
	Upstream *Upstream
	Frontend *Frontend
	Model    *Model
	Public   *Public
	Admin    *Admin

	Secrets  []string         // never shown, wherever they might turn up
	Patience time.Duration    // for one answer; 10 s by default
	Now      func() time.Time // time.Now by default
}

// Model is what everybody may use without a key of their own.
type Model struct {
	Name string // empty: none
}

// State is how a check ended.
type State string

// The states. Only Problem makes an installation ill.
const (
	OK      State = "ok"
	Note    State = "note" // works, and is worth knowing
	Problem State = "problem"
	Skipped State = "skipped" // could not be looked at
)

// Finding is what one check found.
type Finding struct {
	Check string
	State State
	Text  string
	Do    string // what to do; empty when all is well
}

// Run examines everything, writes each finding when it is made, and fails when there was a problem.
func Run(ctx context.Context, c Config, out io.Writer) error {
	problems := 0
	Examine(ctx, c, func(f Finding) {
		if f.State == Problem {
			problems++
		}
		write(out, f)
	})
	switch problems {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("1 check found a problem")
	}
	return fmt.Errorf("%d checks found a problem", problems)
}

func write(out io.Writer, f Finding) {
	fmt.Fprintf(out, "%-8s %s: %s\n", f.State, f.Check, f.Text)
	if f.Do != "" {
		fmt.Fprintf(out, "         do: %s\n", f.Do)
	}
}

// Examine makes all checks in the order of the chain and reports what they find.
func Examine(ctx context.Context, c Config, report func(Finding)) {
	c.Patience = cmp.Or(c.Patience, 10*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	e := &examiner{Config: c, report: report, mask: masking(c.Secrets)}
	e.configuration()
	e.database(ctx)
	e.upstream(ctx)
	e.frontend()
	e.model()
	e.public(ctx)
	e.admin(ctx)
}

// examiner is one examination.
type examiner struct {
	Config
	report func(Finding)
	mask   *strings.Replacer
}

// shortest is the least length of a secret that is masked: the letters of a shorter one are in every sentence.
const shortest = 4

func masking(secrets []string) *strings.Replacer {
	var pairs []string
	for _, secret := range secrets {
		if len(secret) >= shortest {
			pairs = append(pairs, secret, "(secret)")
		}
	}
	return strings.NewReplacer(pairs...)
}

func (e *examiner) find(check string, state State, text, do string) {
	oneLine := func(s string) string { return e.mask.Replace(strings.Join(strings.Fields(s), " ")) }
	e.report(Finding{Check: check, State: state, Text: oneLine(text), Do: oneLine(do)})
}

func (e *examiner) ok(check, format string, args ...any) {
	e.find(check, OK, fmt.Sprintf(format, args...), "")
}

func (e *examiner) note(check, text, do string) { e.find(check, Note, text, do) }

func (e *examiner) skip(check, why string) { e.find(check, Skipped, why, "") }

func (e *examiner) problem(check, text, do string) { e.find(check, Problem, text, do) }

// unsound is why a check was left out whose settings are at fault.
const unsound = "its settings are among the configuration's problems; correct those first"

func (e *examiner) configuration() {
	const check = "configuration"
	for _, text := range e.Problems {
		e.problem(check, text, "correct it; `openhands-saas config` shows where each value came from")
	}
	for _, text := range e.Notices {
		e.note(check, text, "")
	}
	if len(e.Problems) == 0 {
		e.ok(check, "complete")
	}
}

func (e *examiner) model() {
	const check = "model"
	switch {
	case e.Model == nil:
		e.skip(check, unsound)
	case e.Model.Name == "":
		e.note(check, "there is none for everybody: people must bring a key of their own", "set OPERATOR_LLM_MODEL and OPERATOR_LLM_API_KEY, unless this is what you want")
	default:
		e.ok(check, "%s is there for everybody; whether it answers, `openhands-saas smoke` tells", e.Model.Name)
	}
}
