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

	Key     bool // an API key, not a session
	Service bool // of a service account: nobody who could show or prove anything

	Scope access.Scope // of the key; access.NoScope for sessions
	Bound uuid.UUID    // the only team that the key is good for; uuid.Nil for all of its owner's

	Proved time.Time // when the user last proved who they are in this session
	Factor time.Time // when they last showed a second factor; zero: never in this session

	HasFactor bool // the user has a second factor
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

// Authenticate says whose credential it is, in any form, and that it may be used. What is bad in any way is problem.Unauthorized; a
// second factor that is missing is ErrFactorRequired; a database that is away while the cache cannot answer is a 503. A known
// credential costs no query.
func (s *Service) Authenticate(ctx context.Context, c access.Credential) (Identity, error) {
	id, err := s.Identify(ctx, c)
	if err == nil {
		err = s.demandFactor(ctx, id)
	}
	if err != nil {
		return Identity{}, err
	}
	return id, nil
}

// Identify is Authenticate for the few places that somebody must reach who has not shown the second factor yet: to show it, to get
// one, to see who they are and to sign out.
func (s *Service) Identify(ctx context.Context, c access.Credential) (Identity, error) {
	now := s.cfg.Now()
	p, err := s.proofOf(ctx, c, now)
	if err == nil {
		err = s.mayAct(p.identity.User)
	}
	if err != nil {
		return Identity{}, err
	}
	s.use(p, now)
	return p.identity, nil
}

// proofOf is what a credential that is good proves, from memory if it can be.
func (s *Service) proofOf(ctx context.Context, c access.Credential, now time.Time) (*proof, error) {
	if !s.plausible(c) {
		return nil, problem.Unauthorized
	}
	key := keyOf(c)
	p, known := s.proven.Get(key)
	if !known || !p.good(now) { // another replica may have seen a use that keeps the session alive: ask again
		var err error
		if p, err = s.check(ctx, key, c); err != nil {
			return nil, err
		}
	}
	if !p.good(now) {
		return nil, problem.Unauthorized
	}
	return p, nil
}

// mayAct refuses those who have not proved their address, where that is demanded.
func (s *Service) mayAct(u User) error {
	if s.cfg.RequireVerified && !u.IsVerified {
		return problem.Forbidden
	}
	return nil
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
	if err == nil {
		p.identity.HasFactor, err = s.hasFactor(ctx, p.identity.User.ID)
	}
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
		return s.readByID(ctx, user, session)
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
	return newProof(row, expires, s.idleOf(row)), err
}

// idleOf is how long a session may rest: those end so that would go on for long, of browsers and of refresh tokens.
func (s *Service) idleOf(row sessionRow) time.Duration {
	if row.Kind == kindBrowser || row.Offline {
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
	case postgres.TopicTeam: // a team that is gone takes the keys with it that were bound to it
		s.proven.DropIf(func(_ credentialKey, p *proof) bool { return p.identity.Bound == e.ID })
	}
}
