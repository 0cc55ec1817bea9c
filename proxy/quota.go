package proxy

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// key is who or what a quota is for: a user, a team, a conversation, or a user of a conversation.
type key struct{ a, b uuid.UUID }

// quotaShards spread the keys over locks that are held for a look at a map each.
const quotaShards = 32

// quota bounds how many of something each key has at a time. It remembers only those that have any.
type quota struct {
	most    int32 // negative: no bound
	refusal *problem.Error
	shards  [quotaShards]quotaShard
}

type quotaShard struct {
	mu    sync.Mutex
	count map[key]int32
	_     [48]byte // a cache line for each
}

func newQuota(most int, refusal *problem.Error) *quota {
	q := &quota{most: int32(most), refusal: refusal}
	for i := range q.shards {
		q.shards[i].count = map[key]int32{}
	}
	return q
}

// shard picks by bytes that differ between ids as well as between addresses.
func (q *quota) shard(k key) *quotaShard {
	return &q.shards[(k.a[0]^k.a[15]^k.a[6]^k.b[0])%quotaShards]
}

func (q *quota) enter(k key) bool {
	s := q.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.count[k]
	if n >= q.most {
		return false
	}
	s.count[k] = n + 1
	return true
}

func (q *quota) leave(k key) {
	s := q.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.count[k]; n > 1 {
		s.count[k] = n - 1
	} else {
		delete(s.count, k)
	}
}

// share is a place that was taken.
type share struct {
	of *quota
	by key
}

// shares are the places that a request or a socket holds. The zero value holds none.
type shares struct {
	held  [maxShares]share
	count int
}

// maxShares is how many places one request can hold.
const maxShares = 4

// take takes a place, or is the refusal that names the bound.
func (s *shares) take(q *quota, k key) error {
	if q.most < 0 {
		return nil
	}
	if !q.enter(k) {
		return q.refusal
	}
	s.held[s.count] = share{q, k}
	s.count++
	return nil
}

// release gives all back, once.
func (s *shares) release() {
	for i := range s.count {
		s.held[i].of.leave(s.held[i].by)
	}
	s.count = 0
}

// pace bounds how often something may begin within a time, for each team. It keeps the times of all that began.
type pace struct {
	most   int // negative: no bound
	within time.Duration
	now    func() time.Time
	detail string

	mu    sync.Mutex
	begun map[uuid.UUID][]time.Time
}

// maxPaced is the number of teams at which those that rest are forgotten.
const maxPaced = 1024

// open refuses what begin would refuse, and counts nothing.
func (p *pace) open(team uuid.UUID) error { return p.judge(team, false) }

// begin counts a beginning, or refuses it and says when the next may be.
func (p *pace) begin(team uuid.UUID) error { return p.judge(team, true) }

func (p *pace) judge(team uuid.UUID, begins bool) error {
	if p.most < 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.tidy(now)
	begun := p.recent(team, now)
	if len(begun) >= p.most {
		return p.refusal(begun, now)
	}
	if begins {
		p.begun[team] = append(begun, now)
	}
	return nil
}

func (p *pace) refusal(begun []time.Time, now time.Time) error {
	e := problem.New(http.StatusTooManyRequests, p.detail)
	e.RetryAfter = p.within
	if len(begun) > 0 {
		e.RetryAfter = begun[0].Add(p.within).Sub(now)
	}
	return e
}

// recent drops what is too long ago, and teams that rest.
func (p *pace) recent(team uuid.UUID, now time.Time) []time.Time {
	begun := slices.DeleteFunc(p.begun[team], func(t time.Time) bool { return now.Sub(t) >= p.within })
	if p.begun[team] = begun; len(begun) == 0 {
		delete(p.begun, team)
	}
	return begun
}

// tidy forgets teams that rest, once there are many.
func (p *pace) tidy(now time.Time) {
	if len(p.begun) < maxPaced {
		return
	}
	for team := range p.begun {
		p.recent(team, now)
	}
}
