package auth

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Identity is what a credential proves.
type Identity struct {
	User    User
	Session uuid.UUID // or the API key
	Team    uuid.UUID // what SetTeam left on the session; uuid.Nil without
	Expires time.Time

	Key   bool         // an API key, not a session
	Scope access.Scope // of the key; access.NoScope for sessions
	Bound uuid.UUID    // the only team that the key is good for; uuid.Nil for all of its owner's

	Proved time.Time // when the user last proved who they are in this session
	Factor time.Time // when they last showed a second factor; zero: never in this session
}

// credentialKey is a credential as it is remembered: hashed together with its class, so that a cookie never works as a token.
type credentialKey [sha256.Size]byte

// proof is what is remembered of a credential. Nothing but seen and noted changes.
type proof struct {
	identity Identity
	idle     time.Duration // 0: no limit
	seen     atomic.Int64  // the last use, Unix nanoseconds
	noted    atomic.Int64  // the last use that the database knows of
}

// Authenticate says whose credential it is, in any form. What is bad in any way is problem.Unauthorized; a database that is away
// while the cache cannot answer is a 503. A known credential costs no query.
func (s *Service) Authenticate(ctx context.Context, c access.Credential) (Identity, error) {
	if !s.plausible(c) {
		return Identity{}, problem.Unauthorized
	}
	key, now := keyOf(c), s.cfg.Now()
	p, known := s.proven.Get(key)
	if !known || !p.good(now) { // another replica may have seen a use that keeps the session alive: ask again
		var err error
		if p, err = s.check(ctx, key, c); err != nil {
			return Identity{}, err
		}
	}
	if !p.good(now) {
		return Identity{}, problem.Unauthorized
	}
	s.use(p, now)
	return p.identity, nil
}

// plausible refuses, before any work, what cannot be one of ours.
func (s *Service) plausible(c access.Credential) bool {
	switch c.Form {
	case access.FormBearer, access.FormKey:
		return looksSigned(c.Token) || s.isKey(c)
	case access.FormCookie:
		return len(c.Token) == cookieLength && isToken(c.Token)
	case access.FormSession:
		_, _, ok := c.Session()
		return ok
	}
	return false
}

func keyOf(c access.Credential) credentialKey {
	class := byte('t')
	switch c.Form {
	case access.FormCookie:
		class = 'c'
	case access.FormSession:
		class = 's'
	}
	return sha256.Sum256(append([]byte{class}, c.Token...))
}

// check asks the database, and remembers a good answer unless something was revoked meanwhile.
func (s *Service) check(ctx context.Context, key credentialKey, c access.Credential) (*proof, error) {
	mark := s.proven.Begin()
	p, err := s.read(ctx, c)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, problem.Unauthorized
	}
	if err != nil {
		return nil, postgres.Problem(err)
	}
	s.proven.Put(mark, key, p)
	return p, nil
}

func (s *Service) read(ctx context.Context, c access.Credential) (*proof, error) {
	if c.Form == access.FormCookie {
		hash := sha256.Sum256([]byte(c.Token))
		row, err := browserSession(ctx, s.db, hash[:])
		return newProof(row, row.Expires, s.cfg.SessionIdle), err
	}
	if user, session, ok := c.Session(); ok {
		row, err := sessionByID(ctx, s.db, session, user)
		return newProof(row, row.Expires, s.idleOf(row)), err
	}
	if s.isKey(c) {
		return s.readKey(ctx, c.Token)
	}
	user, session, expires, err := s.tokens.read(c.Token)
	if err != nil {
		return nil, problem.Unauthorized.Because(err)
	}
	row, err := tokenSession(ctx, s.db, session, user)
	if row.Expires.Before(expires) {
		expires = row.Expires
	}
	return newProof(row, expires, 0), err
}

// idleOf is how long a session may rest: only those of browsers end so.
func (s *Service) idleOf(row sessionRow) time.Duration {
	if row.Kind == kindBrowser {
		return s.cfg.SessionIdle
	}
	return 0
}

func newProof(row sessionRow, expires time.Time, idle time.Duration) *proof {
	p := &proof{identity: Identity{User: row.User, Session: row.Session, Team: row.Team.UUID, Expires: expires, Proved: row.Proved}, idle: idle}
	if row.Factor != nil {
		p.identity.Factor = *row.Factor
	}
	p.seen.Store(row.Seen.UnixNano())
	p.noted.Store(row.Seen.UnixNano())
	return p
}

func (p *proof) good(now time.Time) bool {
	unused := now.Sub(time.Unix(0, p.seen.Load()))
	return now.Before(p.identity.Expires) && (p.idle == 0 || unused <= p.idle)
}

// use notes that the session lives. The database hears of it at most once a minute, and not on this request's time.
func (s *Service) use(p *proof, now time.Time) {
	p.seen.Store(now.UnixNano())
	every := time.Minute
	if p.idle > 0 {
		every = min(every, p.idle/2)
	}
	noted := p.noted.Load()
	if now.Sub(time.Unix(0, noted)) >= every && p.noted.CompareAndSwap(noted, now.UnixNano()) {
		s.touches.add(touch{id: p.identity.Session, key: p.identity.Key})
	}
}

// forget drops what an event says is no longer true.
func (s *Service) forget(e postgres.Event) {
	switch e.Topic {
	case "":
		s.proven.DropAll()
	case postgres.TopicSession:
		s.proven.DropIf(func(_ credentialKey, p *proof) bool { return p.identity.Session == e.ID })
	case postgres.TopicUser:
		s.proven.DropIf(func(_ credentialKey, p *proof) bool { return p.identity.User.ID == e.ID })
	}
}
