package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// maxAnswer bounds what is read of any answer of an issuer.
const maxAnswer = 1 << 20

// newClient calls issuers, which the operator chose: by the proxy of the environment where there is one, but never where a redirect
// leads.
func newClient(timeout time.Duration) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = timeout
	transport.MaxResponseHeaderBytes = 64 << 10
	return &http.Client{
		Timeout:       timeout,
		Transport:     bounded{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// bounded cuts answers that are longer than any honest one.
type bounded struct{ inner http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.inner.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = limited{io.LimitReader(response.Body, maxAnswer), response.Body}
	return response, nil
}

type limited struct {
	io.Reader
	io.Closer
}

func withClient(ctx context.Context, c *http.Client) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, c)
}

// away says that the provider cannot be reached, or is in trouble itself.
func away(p Provider, cause error) error {
	e := problem.Newf(http.StatusServiceUnavailable, "Signing in by %s is not possible at the moment: it does not answer. Try again in a few minutes.", p.label())
	e.RetryAfter = 30 * time.Second
	return e.Because(cause)
}

// odd says that the provider answered, and that the answer cannot be trusted.
func odd(p Provider, cause error) error {
	return problem.Newf(http.StatusBadGateway, "What %s answered could not be verified, so nobody was signed in. Start again; "+
		"if it stays so, tell an administrator.", p.label()).Because(cause)
}

// declined says that the provider does not take the code that came back.
func declined(p Provider, cause error) error {
	return problem.Newf(http.StatusBadRequest, "%s did not accept this sign-in: it was used before, or took too long. Start again.", p.label()).Because(cause)
}

func (p Provider) label() string {
	if p.Title != "" {
		return p.Title
	}
	return p.Name
}

// exchangeFault tells a code that is no good, and an issuer that cannot be reached, from answers that make no sense.
func exchangeFault(p Provider, err error) error {
	if _, network := errors.AsType[*url.Error](err); network {
		return away(p, short(err))
	}
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	switch {
	case ok && (refused.ErrorCode == "invalid_grant" || refused.ErrorCode == "bad_verification_code"):
		return declined(p, plainCause(err))
	case ok && refused.Response != nil && (refused.Response.StatusCode >= 500 || refused.Response.StatusCode == http.StatusTooManyRequests):
		return away(p, plainCause(err))
	}
	return odd(p, plainCause(err))
}

// plainCause keeps what is worth a line in the log, and leaves out bodies, which may hold tokens.
func plainCause(err error) error {
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		status := 0
		if refused.Response != nil {
			status = refused.Response.StatusCode
		}
		return fmt.Errorf("the token endpoint answered %d %q", status, clip(refused.ErrorCode, 100))
	}
	return short(err)
}

// short cuts what a library quotes of an answer.
func short(err error) error { return errors.New(clip(err.Error(), 300)) }
