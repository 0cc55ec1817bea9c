package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
)

// The bounds of a digest: of callers, of unknown operations, and of what happens with it.
const (
	digestCallers = 1024
	digestShapes  = 256
	digestPatient = 10 * time.Second
)

// Hidden sums up how often one caller was told "Not Found" about an object. It never says which: a foreign one and one that
// does not exist are told of alike.
type Hidden struct {
	Caller access.Caller // without the credential's token
	Path   string        // the template of the first operation
	Count  int
}

// digest collects refusals that strangers could otherwise fill a log with, and tells of them in sums.
type digest struct {
	cfg     Config
	hidden  tally[party, Hidden]
	unknown tally[shape, struct{}]
	stop    chan struct{}
	done    chan struct{}
	once    sync.Once
}

// party is a user, or a household of anonymous ones.
type party struct {
	user uuid.UUID
	at   netip.Addr
}

// shape is what unknown operations have in common.
type shape struct{ method, path string }

func newDigest(cfg Config) *digest {
	d := &digest{
		cfg:    cfg,
		hidden: tally[party, Hidden]{most: digestCallers}, unknown: tally[shape, struct{}]{most: digestShapes},
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	go d.run()
	return d
}

func (d *digest) run() {
	defer close(d.done)
	tick := time.NewTicker(d.cfg.Digest)
	defer tick.Stop()
	for {
		select {
		case <-d.stop:
			d.tell()
			return
		case <-tick.C:
			d.tell()
		}
	}
}

// close tells of the rest.
func (d *digest) close() {
	d.once.Do(func() { close(d.stop) })
	<-d.done
}

// note counts an answer that hides.
func (x *Exchange) note(err error) {
	if !errors.Is(err, access.ErrHidden) || x.Caller.Principal == nil {
		return
	}
	p := party{user: x.Principal().User}
	if x.Principal().Anonymous {
		p.at = household(x.engine.peers.client(x.Request))
	}
	caller := access.Caller{Principal: x.Principal(), Credential: access.Credential{Form: x.Caller.Credential.Form}}
	x.engine.digest.hidden.add(p, Hidden{Caller: caller, Path: x.Operation.Path})
}

// tell reports and forgets.
func (d *digest) tell() {
	callers, beyond := d.hidden.take()
	for _, c := range callers {
		h := c.first
		h.Count = c.count
		d.tellHidden(h)
	}
	if beyond > 0 {
		d.cfg.Log.Warn("objects that are hidden or missing were asked for by more callers than are counted apart", "count", beyond)
	}
	shapes, beyond := d.unknown.take()
	for s, c := range shapes {
		d.cfg.Log.Info("an unknown operation was refused", "method", s.method, "path", s.path, "count", c.count)
	}
	if beyond > 0 {
		d.cfg.Log.Info("more unknown operations were refused", "count", beyond)
	}
}

func (d *digest) tellHidden(h Hidden) {
	if d.cfg.Hidden == nil {
		d.cfg.Log.Info("objects that are hidden or missing were asked for", "user", userOf(h.Caller.Principal), "operation", h.Path, "count", h.Count)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), digestPatient)
	defer cancel()
	d.cfg.Hidden(ctx, h)
}

// maxShape bounds the segments of a shape.
const maxShape = 6

var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

// shapeOf keeps of a path what could be the name of an operation; the rest may be anybody's id or secret.
func shapeOf(method, path string) shape {
	if !slices.Contains(methods, method) {
		method = "other"
	}
	segments := strings.SplitN(path[1:], "/", maxShape+1)
	if len(segments) > maxShape {
		segments[maxShape] = "..."
	}
	for i, s := range segments {
		if !isWord(s) && s != "..." {
			segments[i] = "{}"
		}
	}
	return shape{method, "/" + strings.Join(segments, "/")}
}

// isWord says whether a segment is short and has small letters only, as names of operations do.
func isWord(s string) bool {
	return len(s) <= 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz-_") == ""
}
