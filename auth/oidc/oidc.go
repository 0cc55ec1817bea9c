// Package oidc owns signing in by others: issuers of OpenID Connect, as many as are configured, and GitHub. It keeps who a user is
// there (identities) and takes people through the redirects.
//
// It never keeps a token of an issuer: what the issuer says about somebody is read once, verified and dropped. Its key idea: only
// issuer and subject say who somebody is. An address is a claim, which joins an account only when both sides have proved it, and
// nothing that comes back from an issuer counts unless this very browser went there for it.
package oidc

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Config is what a Service needs. Fields without a comment are required.
type Config struct {
	DB        *postgres.DB
	Auth      *auth.Service
	Secrets   [][]byte // the first makes the states of sign-ins, all read them; without one there are no sign-ins
	PublicURL string   // the origin to which issuers send people back
	Providers []Provider

	// Groups is told at each sign-in in which groups somebody is at the provider, when the provider has a GroupsClaim, and that
	// they are in none when the identity goes. It runs in the transaction of the sign-in. nil: groups count for nothing.
	Groups func(ctx context.Context, tx *postgres.Tx, u auth.User, provider string, groups []string) error
	// Passkeys says whether a user can sign in by a passkey alone. It runs in a transaction. nil: nobody can.
	Passkeys func(ctx context.Context, tx *postgres.Tx, user uuid.UUID) (bool, error)

	Mail    auth.Mailer   // tells users what was linked and unlinked; nil: nobody is told
	Secure  bool          // cookies are for https only
	Client  *http.Client  // calls issuers; by default one that follows no redirects and reads no more than it must
	Timeout time.Duration // for all that one step of a sign-in asks of an issuer; ten seconds by default
	Now     func() time.Time
	Log     *slog.Logger // discards by default
}

// Provider is somebody by whom people sign in.
type Provider struct {
	Name           string   // in paths and as the method of sessions; lower case
	Title          string   // for people; Name by default
	Issuer         string   // the URL of an OpenID Connect issuer; empty for GitHub
	ClientID       string   // as registered there
	ClientSecret   string   // sent to the issuer alone
	Scopes         []string // beside openid; email and profile by default
	GroupsClaim    string   // where the issuer says in which groups somebody is; empty: groups count for nothing
	AllowedDomains []string // of addresses, in lower case: only those make an account, and where registration is not open they may

	// GitHub is set instead of Issuer.
	GitHub *GitHub
}

// GitHub says where GitHub answers. Empty fields are GitHub's own addresses.
type GitHub struct{ AuthorizeURL, TokenURL, APIURL string }

// Service takes people to issuers and back.
type Service struct {
	cfg       Config
	db        *postgres.DB
	keys      []flowKey
	providers []*provider
}

// provider is a Provider with what was learned of it.
type provider struct {
	Provider
	source
	issuer string
}

// source is how a kind of provider is asked.
type source interface {
	// authorizeURL is where a browser goes.
	authorizeURL(ctx context.Context, f flow) (string, error)
	// redeem returns whom the code that came back is about, verified.
	redeem(ctx context.Context, f flow, code string) (claims, error)
	// mixedUp says that what came back names another issuer than this one.
	mixedUp(ctx context.Context, issuer string) bool
}

// New makes a service. It contacts no issuer: that is done when somebody wants to sign in.
func New(c Config) *Service {
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	if c.Client == nil {
		c.Client = newClient(c.Timeout)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{cfg: c, db: c.DB, keys: flowKeys(c.Secrets)}
	for _, p := range c.Providers {
		s.providers = append(s.providers, s.newProvider(p))
	}
	return s
}

func (s *Service) newProvider(p Provider) *provider {
	p.Title = cmp.Or(p.Title, p.Name)
	callback := s.cfg.PublicURL + "/api/auth/" + p.Name + "/callback"
	if p.GitHub != nil {
		return &provider{Provider: p, issuer: githubIssuer, source: newGitHub(p, callback)}
	}
	return &provider{Provider: p, issuer: p.Issuer, source: &issuer{
		provider: p, callback: callback, client: s.cfg.Client, now: s.cfg.Now, log: s.cfg.Log, asking: make(chan struct{}, 1), mu: new(sync.Mutex),
	}}
}

// Choice is a provider as people see it.
type Choice struct{ Name, Title string }

// Choices lists the providers in the order in which they are configured.
func (s *Service) Choices() []Choice {
	choices := make([]Choice, len(s.providers))
	for i, p := range s.providers {
		choices[i] = Choice{p.Name, p.Title}
	}
	return choices
}

// find answers problem.NotFound for a name that is not configured.
func (s *Service) find(name string) (*provider, error) {
	for _, p := range s.providers {
		if p.Name == name && len(s.keys) > 0 {
			return p, nil
		}
	}
	return nil, problem.NotFound
}

// calling bounds what one step asks of an issuer, and has it asked by the service's own client.
func (s *Service) calling(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(withClient(ctx, s.cfg.Client), s.cfg.Timeout)
}
