// Package device owns how a program without a browser gets in (RFC 8628): it shows a short code, a person who is signed in types that
// code on a page of ours and approves, and the program, which polls meanwhile, gets an API key of theirs.
//
// It never makes keys itself and never lets a program in by itself. Its key idea: the program holds one long code and the person sees
// another, short one; the short one is worth nothing without a session, and the long one nothing without an approval.
package device

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

const (
	lifetime   = 10 * time.Minute // of a code
	firstPause = 5                // seconds between two polls
	slower     = 5                // more, after each poll that came too early
	maxPause   = 120
)

// KeyMaker makes API keys (package auth/apikey). allowed is asked in the transaction that makes the key, before anything is written.
type KeyMaker interface {
	MakeKey(ctx context.Context, user auth.User, name string, scopes []string, allowed func(context.Context, *postgres.Tx) error) (key string, err error)
}

// Config is what a Service needs.
type Config struct {
	DB     *postgres.DB // required
	Keys   KeyMaker     // required
	Secret []byte       // keys the hashes of short codes; the same for all replicas
	Limits auth.Limits  // nil: nobody is slowed down
	Page   string       // the address of the page where people type the code
	Now    func() time.Time
}

// Service is the programs that wait at one installation.
type Service struct {
	cfg Config
	db  *postgres.DB
}

// New makes a service.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{cfg: cfg, db: cfg.DB}
}

// Request is a program that waits, as the person sees it who decides.
type Request struct {
	Name      string
	Scopes    []string
	IP        string
	UserAgent string
	Created   time.Time
}

// The errors of RFC 8628 and of OAuth, to the letter; detail says for people what they mean.
var (
	ErrPending = oauth("authorization_pending", "Nobody has approved this yet. Ask again after the interval.")
	ErrSlow    = oauth("slow_down", "You ask too often. From now on, wait five seconds longer between two requests.")
	ErrDenied  = oauth("access_denied", "The request was denied.")
	ErrExpired = oauth("expired_token", "The code has expired. Begin anew.")
	ErrGrant   = oauth("invalid_grant", "The device code is unknown, or it was used already. Begin anew.")
	ErrScope   = oauth("invalid_scope", "A device can ask for the scopes read and write only.")
)

// Malformed answers a request that lacks something.
func Malformed(detail string) error { return oauth("invalid_request", detail) }

// UnknownGrant answers a grant_type that is not this one.
var UnknownGrant = oauth("unsupported_grant_type", "grant_type must be "+GrantType+".")

// GrantType is what a program that polls sends.
const GrantType = "urn:ietf:params:oauth:grant-type:device_code"

func oauth(code, detail string) *problem.Error {
	return &problem.Error{Status: http.StatusBadRequest, Detail: detail, With: map[string]any{"error": code}}
}

// ErrNoCode answers a short code that is unknown, was decided on or ran out.
var ErrNoCode = problem.New(http.StatusNotFound, "DEVICE_CODE_UNKNOWN")

// What is limited.
const (
	actStart = "device-start"
	actCode  = "device-code"
)

// counted runs a try of a person, who is signed in, at a short code: wrong ones make the next wait longer.
func (s *Service) counted(ctx context.Context, user uuid.UUID, from auth.Client, try func() error) error {
	if s.cfg.Limits == nil {
		return try()
	}
	keys := append(addressKey(from), "user:"+user.String())
	if err := s.cfg.Limits.Take(ctx, actCode, keys...); err != nil {
		return err
	}
	err := try()
	if problem.Of(err) == ErrNoCode {
		if failed := s.cfg.Limits.Failed(ctx, actCode, keys...); failed != nil {
			return failed
		}
	}
	return err
}

func addressKey(from auth.Client) []string {
	if from.IP == "" {
		return nil
	}
	return []string{"ip:" + from.IP}
}
