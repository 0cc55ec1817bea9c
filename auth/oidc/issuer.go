package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	openid "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Discovery is asked again when it is older than learnAgain, and after a failure not before failedFor has passed: while an issuer is
// down, only few wait for it.
const (
	learnAgain = time.Hour
	failedFor  = 2 * time.Second
	staleFor   = time.Minute // the same while what was learned before is good enough
)

// algorithms are those that prove who signed: by a key that only the issuer has.
var algorithms = []string{
	openid.RS256, openid.RS384, openid.RS512, openid.ES256, openid.ES384, openid.ES512, openid.PS256, openid.PS384, openid.PS512, openid.EdDSA,
}

// issuer is an issuer of OpenID Connect. What it says of itself is learned when it is first needed, so that we start without it.
type issuer struct {
	provider Provider
	callback string
	client   *http.Client
	now      func() time.Time
	log      *slog.Logger

	asking chan struct{} // holds who is asking now
	mu     *sync.Mutex   // guards what is below
	known  *learned
	failed error
	tried  time.Time
}

// learned is what an issuer says of itself.
type learned struct {
	*openid.Provider
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	NamesItself bool     `json:"authorization_response_iss_parameter_supported"`
}

// learn returns what is known, or asks. One asks at a time, the others wait for what comes of it.
func (i *issuer) learn(ctx context.Context) (*learned, error) {
	if known, err, done := i.remembered(); done {
		return known, err
	}
	select {
	case i.asking <- struct{}{}:
		defer func() { <-i.asking }()
	case <-ctx.Done():
		return nil, away(i.provider, ctx.Err())
	}
	if known, err, done := i.remembered(); done {
		return known, err
	}
	known, err := i.discover(context.WithoutCancel(ctx)) // for all who wait: the client has a limit of its own
	i.mu.Lock()
	defer i.mu.Unlock()
	i.tried, i.failed = i.now(), err
	if err == nil {
		i.known = known
	}
	if i.known == nil {
		return nil, err
	}
	return i.known, nil // what was true an hour ago is better than nothing
}

func (i *issuer) remembered() (known *learned, err error, done bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	age := i.now().Sub(i.tried)
	switch {
	case i.known != nil && (i.failed == nil && age < learnAgain || i.failed != nil && age < staleFor):
		return i.known, nil, true
	case i.known == nil && i.failed != nil && age < failedFor:
		return nil, i.failed, true
	}
	return nil, nil, false
}

// discover reads the issuer's own description. Its keys are fetched later, by the service's client.
func (i *issuer) discover(ctx context.Context) (*learned, error) {
	found, err := openid.NewProvider(openid.ClientContext(ctx, i.client), i.provider.Issuer)
	if mismatch, ok := errors.AsType[*openid.IssuerMismatchError](err); ok {
		i.log.Error("an issuer calls itself by another name than the configuration: correct the configuration", "provider", i.provider.Name, "error", mismatch)
		return nil, odd(i.provider, err)
	}
	if err != nil {
		i.log.Warn("an issuer cannot be asked about itself", "provider", i.provider.Name, "error", short(err))
		return nil, away(i.provider, short(err))
	}
	known := &learned{Provider: found}
	if err := found.Claims(known); err != nil {
		return nil, odd(i.provider, err)
	}
	return known, nil
}

func (i *issuer) oauth(known *learned) *oauth2.Config {
	endpoint := known.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if len(known.AuthMethods) > 0 && !slices.Contains(known.AuthMethods, "client_secret_basic") && slices.Contains(known.AuthMethods, "client_secret_post") {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	scopes := i.provider.Scopes
	if len(scopes) == 0 {
		scopes = []string{"email", "profile"}
	}
	if !slices.Contains(scopes, openid.ScopeOpenID) {
		scopes = append([]string{openid.ScopeOpenID}, scopes...)
	}
	return &oauth2.Config{
		ClientID: i.provider.ClientID, ClientSecret: i.provider.ClientSecret, Endpoint: endpoint, RedirectURL: i.callback, Scopes: scopes,
	}
}

func (i *issuer) authorizeURL(ctx context.Context, f flow) (string, error) {
	known, err := i.learn(ctx)
	if err != nil {
		return "", err
	}
	return i.oauth(known).AuthCodeURL(f.signed, oauth2.S256ChallengeOption(f.verifier), openid.Nonce(f.nonce)), nil
}

// mixedUp compares the issuer's name in what came back (RFC 9207), which an issuer that has it must not leave out.
func (i *issuer) mixedUp(ctx context.Context, name string) bool {
	if name != "" {
		return name != i.provider.Issuer
	}
	known, err := i.learn(ctx)
	return err == nil && known.NamesItself
}

// redeem takes the code to the issuer and verifies what it answers.
func (i *issuer) redeem(ctx context.Context, f flow, code string) (claims, error) {
	known, err := i.learn(ctx)
	if err != nil {
		return claims{}, err
	}
	token, err := i.oauth(known).Exchange(ctx, code, oauth2.VerifierOption(f.verifier))
	if err != nil {
		return claims{}, exchangeFault(i.provider, err)
	}
	proof, err := i.verify(ctx, known, f, token)
	if err != nil {
		return claims{}, err
	}
	return i.complete(ctx, known, proof, token)
}

// verify checks the ID token strictly: signature, algorithm, issuer, audience, expiry, authorised party and nonce.
func (i *issuer) verify(ctx context.Context, known *learned, f flow, token *oauth2.Token) (said, error) {
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return nil, odd(i.provider, errors.New("there is no ID token"))
	}
	verifier := known.Verifier(&openid.Config{ClientID: i.provider.ClientID, SupportedSigningAlgs: algorithms, Now: i.now})
	id, err := verifier.Verify(ctx, raw)
	if err != nil {
		return nil, i.verifyFault(err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.nonce)) != 1 {
		return nil, errState.Because(errors.New("the ID token is another sign-in's"))
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return nil, odd(i.provider, err)
		}
	}
	var proof said
	if err := id.Claims(&proof); err != nil {
		return nil, odd(i.provider, err)
	}
	return proof, i.checkParty(id, proof)
}

// verifyFault tells keys that could not be fetched from a token that is no good.
func (i *issuer) verifyFault(err error) error {
	if strings.Contains(err.Error(), "fetching keys") {
		return away(i.provider, short(err))
	}
	return odd(i.provider, short(err))
}

// checkParty looks at whom the token was made for, which go-oidc leaves to its callers: a token for several audiences must name us.
func (i *issuer) checkParty(id *openid.IDToken, proof said) error {
	_, present := proof["azp"]
	if (present || len(id.Audience) > 1) && proof.text("azp") != i.provider.ClientID {
		return odd(i.provider, errors.New("the ID token was made for another party"))
	}
	if id.Subject == "" || len(id.Subject) > maxSubject || strings.ContainsFunc(id.Subject, unicode.IsControl) {
		return odd(i.provider, errors.New("the ID token has no usable subject"))
	}
	return nil
}

// complete asks the userinfo endpoint for what the ID token lacks.
func (i *issuer) complete(ctx context.Context, known *learned, proof said, token *oauth2.Token) (claims, error) {
	groups, told, overflow := proof.groups(i.provider.GroupsClaim)
	if proof.text("email") == "" || i.provider.GroupsClaim != "" && !told && !overflow {
		more, err := i.userInfo(ctx, known, proof.text("sub"), token)
		if err != nil {
			return claims{}, err
		}
		if proof.text("email") == "" { // address and flag belong together
			proof["email"], proof["email_verified"] = more["email"], more["email_verified"]
		}
		if proof.text("name") == "" {
			proof["name"] = more["name"]
		}
		if !told {
			groups, _, overflow = more.groups(i.provider.GroupsClaim)
		}
	}
	if overflow {
		i.log.WarnContext(ctx, "an issuer does not say in which groups somebody is, because they are too many: team roles stay as they are", "provider", i.provider.Name)
	}
	return claims{
		Subject: proof.text("sub"), Email: proof.email(), Verified: proof.isTrue("email_verified"), Name: proof.name(),
		Groups: groups, Told: i.provider.GroupsClaim != "" && !overflow,
	}, nil
}

// userInfo must be about the same subject as the ID token.
func (i *issuer) userInfo(ctx context.Context, known *learned, subject string, token *oauth2.Token) (said, error) {
	if known.UserInfoEndpoint() == "" {
		return said{}, nil
	}
	info, err := known.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return nil, away(i.provider, fmt.Errorf("ask the userinfo endpoint: %w", short(err)))
	}
	if info.Subject != subject {
		return nil, odd(i.provider, errors.New("the userinfo endpoint speaks of another subject"))
	}
	var more said
	if err := info.Claims(&more); err != nil {
		return nil, odd(i.provider, err)
	}
	return more, nil
}
