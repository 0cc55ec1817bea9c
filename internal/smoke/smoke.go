// Package smoke walks a running server as its users would: two people register, one holds a conversation, the other must not
// see it, both sign out.
//
// It is a plain HTTP client and imports nothing else of the product, so that it sees what clients see. It knows no
// administrator's key and changes nothing but what its two accounts own: two that it registers, or two that exist, beside whose
// own things it leaves nothing behind. Its key idea: each step says in one line what it
// proves; the first that fails ends the walk and says what to look at.
package smoke

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Account is an account that exists.
type Account struct{ Email, Password string }

// Options say what to walk and how.
type Options struct {
	URL          string        // where the server is reached
	Accounts     []Account     // two people who share no team, to walk as; none: two are registered, and stay
	NoAgent      bool          // make a conversation without a message
	Insecure     bool          // accept any TLS certificate
	AgentTimeout time.Duration // how long the agent may take; 0: three minutes
	Poll         time.Duration // between two looks at the agent; 0: one second
	Out          io.Writer     // where the steps are printed; nil: nowhere
}

// Run walks all steps. Its error names the step that failed; the details were printed then.
func Run(ctx context.Context, o Options) error {
	w, err := newWalk(o)
	if err != nil {
		return err
	}
	fmt.Fprintf(w.out, "walking %s\n", w.base)
	failed := w.steps(ctx)
	w.cleanUp()
	if failed == nil {
		fmt.Fprintln(w.out, "all is well")
	}
	return failed
}

func newWalk(o Options) (*walk, error) {
	base, err := url.Parse(o.URL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, errors.New("--url: write the server's origin, such as http://localhost:3001")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: o.Insecure}
	people, err := peopleOf(o.Accounts)
	if err != nil {
		return nil, err
	}
	w := &walk{
		client:       &http.Client{Transport: transport, CheckRedirect: stay},
		base:         strings.TrimRight(base.String(), "/"),
		out:          o.Out,
		noAgent:      o.NoAgent,
		agentTimeout: positive(o.AgentTimeout, 3*time.Minute),
		poll:         positive(o.Poll, time.Second),
		first:        people[0],
		second:       people[1],
		existing:     len(o.Accounts) > 0,
	}
	if w.out == nil {
		w.out = io.Discard
	}
	return w, nil
}

func positive(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// stay shows redirects as what they are: none belongs on this walk.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// step is one thing to prove.
type step struct {
	name string
	run  func(context.Context) error
	look string // what to look at when it fails
}

// steps runs them in order up to the first failure.
func (w *walk) steps(ctx context.Context) error {
	for _, s := range w.plan() {
		begun := time.Now()
		err := s.run(ctx)
		took := time.Since(begun).Round(time.Millisecond)
		if err == nil {
			fmt.Fprintf(w.out, "✓ %s (%s)\n", s.name, took)
			continue
		}
		fmt.Fprintf(w.out, "✗ %s (%s)\n    what happened: %v\n    look at:       %s\n", s.name, took, err, hint(err, s.look))
		return fmt.Errorf("failed at: %s", s.name)
	}
	return nil
}

// plan is the whole walk.
func (w *walk) plan() []step {
	steps := []step{{"the server answers and its database does", w.ready, "whether openhands-saas runs at this URL; its log, when /readyz answers 503 the database is away"}}
	if w.existing {
		steps = append(steps, step{"both sign in", w.signIn, "the addresses and passwords that you gave"})
	} else {
		steps = append(steps,
			step{"two people register", w.register, "the server's log at this time"},
			step{"both sign in", w.signIn, "JWT_SECRET of all replicas: it must be the same"})
	}
	steps = append(steps,
		step{"the server knows who they are", w.me, "JWT_SECRET of all replicas, and their clocks"},
		step{"each has a personal team, and they share none", w.teams, "the server's log; openhands-saas migrate status; with accounts of yours, their teams"},
		step{"the first person starts a conversation", w.start, "the upstream: is it up, and are UPSTREAM_URL and UPSTREAM_API_KEY right? the server's log says"},
	)
	if !w.noAgent {
		steps = append(steps, step{"the agent answers and finishes", w.agent, "OPERATOR_LLM_*: is the model's key valid and its address reachable from the upstream? the upstream's log says"})
	}
	return append(steps,
		step{"its owner finds it in the list", w.listed, "the server's log"},
		step{"the second person cannot see that it exists", w.isolated, "nothing else: do not open this server to people before this is understood"},
		step{"its owner deletes it", w.remove, "the upstream's log"},
		step{"both sign out, and their tokens are worth nothing", w.signOut, "the server's log; with several replicas, whether all reach the same database directly (no transaction pooler: LISTEN must work)"},
	)
}
