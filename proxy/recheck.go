package proxy

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// The bounds of a check.
const (
	checkTimeout = time.Second
	checkWorkers = 8
	glance       = 50 * time.Millisecond  // between two looks whether events still come
	settle       = 100 * time.Millisecond // lets a burst of events, and the caches that also hear them, come to rest
)

// run checks all that lives at every tick, soon after every event, and at the moment when events may be missing: what was missed
// is then asked about.
func (r *Registry) run() {
	defer close(r.done)
	tick, look := time.NewTicker(r.every), time.NewTicker(glance)
	defer tick.Stop()
	defer look.Stop()
	fresh := true
	for {
		select {
		case <-r.stop:
			return
		case <-tick.C:
		case <-r.kick:
			time.Sleep(settle)
		case <-look.C:
			was := fresh
			if fresh = r.fresh(); fresh || !was {
				continue
			}
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
	s, asked := &sweep{back: make(chan struct{}, len(groups))}, 0
	for q, group := range groups {
		if !s.within(r.slots) {
			break
		}
		asked++
		go func() {
			defer func() { s.back <- struct{}{}; <-r.slots }()
			r.checkGroup(s, q, group)
		}()
	}
	s.await(asked)
	r.expire(all, s.reason())
}

// watchLeases ends what has outlived its lease while a check still waits for those who do not answer: it waits for seconds when they
// keep all its places.
func (r *Registry) watchLeases() {
	tick := time.NewTicker(r.every)
	defer tick.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-tick.C:
			r.mu.Lock()
			all := r.snapshot()
			r.mu.Unlock()
			r.expire(all, errNoAnswer)
		}
	}
}

// expire ends what could not be asked about for as long as its lease.
func (r *Registry) expire(all []*entry, reason error) {
	for _, e := range all {
		if r.now().Sub(time.Unix(0, e.good.Load())) > r.lease && e.end(closeTryLater, "the right to this connection cannot be confirmed now") {
			r.log.Warn("a live connection ended: its right could not be confirmed in time", "error", reason)
		}
	}
}

// sweep is one check of everything. Once nobody answers, the rest is not asked about: each question would wait its time. Nor does
// it wait for those who were asked and do not even notice that their time is over, as behind a connection that hangs. They keep
// their places, so that they do not become more and more.
type sweep struct {
	back chan struct{}
	away atomic.Pointer[error]
}

// within takes one of the places; false when none becomes free in time.
func (s *sweep) within(slots chan<- struct{}) bool {
	select {
	case slots <- struct{}{}:
		return true
	default:
	}
	late := time.NewTimer(checkTimeout + settle)
	defer late.Stop()
	select {
	case slots <- struct{}{}:
		return true
	case <-late.C:
		s.away.CompareAndSwap(nil, &errNoAnswer)
		return false
	}
}

// await waits until so many are back, or should be.
func (s *sweep) await(asked int) {
	late := time.NewTimer(checkTimeout + settle)
	defer late.Stop()
	for range asked {
		select {
		case <-s.back:
		case <-late.C:
			s.away.CompareAndSwap(nil, &errNoAnswer)
			return
		}
	}
}

func (s *sweep) reason() error {
	if err := s.away.Load(); err != nil {
		return *err
	}
	return errNoAnswer
}

var errNoAnswer = errors.New("nobody answers")

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

// checkGroup asks about things of one credential. An answer that comes too late counts for nothing: a later check may know better.
func (r *Registry) checkGroup(s *sweep, q question, group []*entry) {
	began := r.now()
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	caller, err := ask(s, func() (access.Caller, error) { return r.gate.Resolve(ctx, q.credential, q.team) })
	for _, e := range group {
		object, failed := access.Object{}, err
		if failed == nil {
			object, failed = r.allowed(ctx, s, caller.Principal, e)
		}
		switch {
		case ctx.Err() != nil:
			return
		case failed != nil:
			e.judge(failed)
		default:
			e.good.Store(began.UnixNano())
			e.renew(caller.Principal, object)
		}
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
	return isUnauthorized(err) || errors.Is(err, access.ErrHidden) || errors.Is(err, access.ErrForbidden) ||
		problem.Of(err).Status == http.StatusForbidden // a credential that is good, but does not do: without a second factor, say
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
func (e *entry) judge(err error) {
	switch {
	case isUnauthorized(err):
		e.end(closeCredentials, "Authentication failed")
	case decided(err):
		e.end(closeHidden, "Conversation not found")
	}
}
