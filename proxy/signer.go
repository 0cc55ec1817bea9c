package proxy

import (
	"log/slog"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/cache"
)

// The life of a token. It is renewed long before it ends, so that one that is sent is good for a minute at least.
const (
	tokenLife  = 2 * time.Minute
	tokenReuse = time.Minute
)

// identityAudience keeps these tokens apart from all that we take as a credential.
const identityAudience = "openhands-upstream"

// leastKey is the length of an HS256 key below which it is weaker than the hash.
const leastKey = 32

// keptTokens bounds the tokens that are kept: some 3 MiB.
const keptTokens = 4096

// signer makes the tokens by which the upstream, or what stands before it, can check who asks. A nil signer makes none.
type signer struct {
	key    []byte
	issuer string
	log    *slog.Logger
	now    func() time.Time
	made   *cache.Cache[seat, signed]
}

// seat is a user who acts in a team. The anonymous user is the nil one.
type seat struct{ user, team uuid.UUID }

// signed is a token with what it says.
type signed struct {
	token string
	email string
	role  access.Role
	made  time.Time
}

func newSigner(cfg Config) *signer {
	if len(cfg.IdentityKey) == 0 {
		return nil
	}
	issuer := "openhands-saas"
	if len(cfg.Origins) > 0 {
		issuer = cfg.Origins[0]
	}
	return &signer{
		key: cfg.IdentityKey, issuer: issuer, log: cfg.Log, now: cfg.Now,
		made: cache.New[seat, signed](keptTokens, func() bool { return true }),
	}
}

// token returns the one that was made within the last minute, if it still says the truth.
func (s *signer) token(p *access.Principal, team uuid.UUID, role access.Role) string {
	if s == nil {
		return ""
	}
	now := s.now()
	at := seat{p.User, team}
	kept, ok := s.made.Get(at)
	if age := now.Sub(kept.made); ok && kept.email == p.Email && kept.role == role && age >= 0 && age < tokenReuse {
		return kept.token
	}
	token, err := s.sign(p, team, role, now)
	if err != nil {
		s.log.Error("an identity token could not be signed", "error", err)
		return ""
	}
	s.made.Put(s.made.Begin(), at, signed{token: token, email: p.Email, role: role, made: now})
	return token
}

func (s *signer) sign(p *access.Principal, team uuid.UUID, role access.Role, now time.Time) (string, error) {
	c := jwt.MapClaims{
		"iss": s.issuer, "aud": identityAudience, "sub": userOf(p), "team": team.String(), "role": string(role),
		"iat": now.Unix(), "exp": now.Add(tokenLife).Unix(),
	}
	if p.Email != "" {
		c["email"] = p.Email
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(s.key)
}
