package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/ratelimit"
)

// composeLimits makes the limiter: also where RATE_LIMITS is off, for the bans.
func (a *App) composeLimits() error {
	secret, err := derived(a.secret.Reveal(), "openhands-saas limits")
	if err != nil {
		return err
	}
	a.limiter = ratelimit.New(ratelimit.Config{DB: a.db(), Secret: secret, Log: a.log})
	return nil
}

// accountLimits are the limits of the accounts; nil where RATE_LIMITS is off, which the configuration says loudly.
func (a *App) accountLimits() auth.Limits {
	if !a.cfg.RateLimits {
		return nil
	}
	return a.limiter
}

// forgetLimits deletes counts and bans that are over.
func (a *App) forgetLimits(ctx context.Context) {
	if _, err := a.limiter.Purge(ctx); err != nil && ctx.Err() == nil {
		a.log.Warn("counts of the limits that are over could not be deleted; the next run tries again", "error", err)
	}
}

// hookTimeout bounds how long somebody who registers waits for the operator's service.
const hookTimeout = 5 * time.Second

var (
	errRefused = problem.New(http.StatusForbidden, "REGISTRATION_REFUSED")
	errNoWord  = problem.Unavailable("Whether you may register cannot be found out at this moment. Try again in a minute.", nil)
)

// registrationHook asks the operator's service about everybody who registers; nil without one. The service is the operator's own, so
// it may be at an inner address; it is asked directly, and redirects are not followed.
func registrationHook(url string, log *slog.Logger) func(context.Context, auth.Registration) error {
	if url == "" {
		return nil
	}
	client := &http.Client{
		Timeout:       hookTimeout,
		Transport:     &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context, r auth.Registration) error {
		status, err := askHook(ctx, client, url, r)
		switch {
		case err == nil && status/100 == 2:
			return nil
		case err == nil && status/100 == 4:
			return errRefused
		case err == nil:
			err = fmt.Errorf("it answered %d", status)
		}
		log.WarnContext(ctx, "REGISTRATION_HOOK_URL did not say whether somebody may register", "error", err)
		return errNoWord.Because(err)
	}
}

func askHook(ctx context.Context, client *http.Client, url string, r auth.Registration) (status int, err error) {
	question, err := json.Marshal(struct {
		Email     string `json:"email"`
		IP        string `json:"ip"`
		UserAgent string `json:"user_agent"`
		Answer    string `json:"answer,omitempty"`
	}{r.Email, r.From.IP, r.From.UserAgent, r.Proof})
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(question))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // so that the connection can be used again
	return res.StatusCode, nil
}

// Bans prints the bans that hold.
func (t *Tools) Bans(ctx context.Context, out io.Writer) error {
	bans, err := t.app.limiter.Bans(ctx)
	if err != nil {
		return err
	}
	if len(bans) == 0 {
		_, err = fmt.Fprintln(out, "nobody is banned")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KIND\tWHO\tUNTIL\tBY\tREASON")
	for _, b := range bans {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%q\n", b.Kind, b.Key, b.Until.UTC().Format(time.RFC3339), b.MadeBy, b.Reason)
	}
	return w.Flush()
}

// Ban bans an address or an account for a time.
func (t *Tools) Ban(ctx context.Context, kind, key string, lasts time.Duration, reason string) error {
	return t.app.limiter.Ban(ctx, kind, key, lasts, reason, commandLine)
}

// Unban ends a ban.
func (t *Tools) Unban(ctx context.Context, kind, key string) error {
	return t.app.limiter.Unban(ctx, kind, key, commandLine)
}

// What can be banned.
const (
	BanIP      = ratelimit.KindIP
	BanAccount = ratelimit.KindAccount
)
