package proxy

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openhands-saas/openhands-saas/access"
)

// The bounds of a check.
const (
	checkTimeout = time.Second
	checkWorkers = 8
	settle       = 100 * time.Millisecond // lets a burst of events, and the caches that also hear them, come to rest
)

// run checks all that lives at every tick and soon after every event.
func (r *Registry) run() {
	defer close(r.done)
	tick := time.NewTicker(r.every)
	defer tick.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-tick.C:
		case <-r.kick:
			time.Sleep(settle)
		}
		r.check()
	}
}

// check asks again about everything. Things of one credential are asked about together, so that a thousand sockets of one
// caller cost one answer.
func (r *Registry) check() {
	r.mu.Lock()
	all := r.snapshot()
	r.mu.Unlock()
	groups := map[question][]*entry{}
	for _, e := range all {
		q := e.question()
		groups[q] = append(groups[q], e)
	}
	var s sweep
	slots := make(chan struct{}, checkWorkers)
	for q, group := range groups {
		slots <- struct{}{}
		s.working.Go(func() {
			defer func() { <-slots }()
			r.checkGroup(&s, q, group)
		})
	}
	s.working.Wait()
}

// sweep is one check of everything. Once nobody answers, the rest is not asked about: each question would wait its time.
type sweep struct {
	working sync.WaitGroup
	away    atomic.Pointer[error]
}

// question is what the gate is asked. A thing that is about a conversation does not depend on the current team.
type question struct {
	credential access.Credential
	team       string
}

func (e *entry) question() question {
	q := question{credential: e.Caller.Credential}
	if e.Object.State == access.StateNone && e.Caller.Credential.Form != access.FormNone {
		q.team = e.Team.String()
	}
	return q
}

func (r *Registry) checkGroup(s *sweep, q question, group []*entry) {
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	caller, err := ask(s, func() (access.Caller, error) { return r.gate.Resolve(ctx, q.credential, q.team) })
	for _, e := range group {
		if err != nil {
			r.judge(e, err)
			continue
		}
		object, err := r.allowed(ctx, s, caller.Principal, e)
		if err != nil {
			r.judge(e, err)
			continue
		}
		e.good = r.now()
		e.renew(caller.Principal, object)
	}
}

// ask asks unless nobody answers in this sweep.
func ask[T any](s *sweep, f func() (T, error)) (T, error) {
	if away := s.away.Load(); away != nil {
		var none T
		return none, *away
	}
	v, err := f()
	if err != nil && !decided(err) {
		s.away.Store(&err)
	}
	return v, err
}

// decided says whether an error is an answer about rights, rather than the absence of one.
func decided(err error) bool {
	return isUnauthorized(err) || errors.Is(err, access.ErrHidden) || errors.Is(err, access.ErrForbidden)
}

func (e *entry) renew(p *access.Principal, o access.Object) {
	if e.Renew != nil {
		e.Renew(p, o)
	}
}

// allowed asks what was asked when the thing began, and returns its conversation as it is now. Another user behind the same
// credential would be another caller.
func (r *Registry) allowed(ctx context.Context, s *sweep, p *access.Principal, e *entry) (access.Object, error) {
	if before := e.Caller.Principal; p == nil || p.User != before.User || p.Anonymous != before.Anonymous {
		return access.Object{}, access.ErrHidden
	}
	if e.Object.State == access.StateNone {
		return access.Object{}, p.In(e.Team, e.Permission)
	}
	object, err := ask(s, func() (access.Object, error) { return r.objects.Find(ctx, e.Object.ID) })
	if err != nil {
		return access.Object{}, err
	}
	return object, p.On(object, e.Permission)
}

// judge ends what lost its right. While nobody can be asked, a thing lives on until its lease runs out.
func (r *Registry) judge(e *entry, err error) {
	switch {
	case isUnauthorized(err):
		e.end(closeCredentials, "Authentication failed")
	case decided(err):
		e.end(closeHidden, "Conversation not found")
	case r.now().Sub(e.good) > r.lease:
		r.log.Warn("a live connection ended: its right could not be confirmed in time", "error", err)
		e.end(closeTryLater, "the right to this connection cannot be confirmed now")
	}
}
