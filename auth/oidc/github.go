package oidc

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/oauth2"
)

// githubIssuer stands for GitHub where an issuer is named. It is no issuer of OpenID Connect: there are no ID tokens, so the answer
// of its API, asked with the token that the code brought, is what counts.
const githubIssuer = "https://github.com"

type github struct {
	provider Provider
	api      string
	oauth    oauth2.Config
}

func newGitHub(p Provider, callback string) *github {
	at := *p.GitHub
	return &github{provider: p, api: strings.TrimSuffix(cmp.Or(at.APIURL, "https://api.github.com"), "/"), oauth: oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, RedirectURL: callback, Scopes: []string{"read:user", "user:email"},
		Endpoint: oauth2.Endpoint{
			AuthURL:   cmp.Or(at.AuthorizeURL, "https://github.com/login/oauth/authorize"),
			TokenURL:  cmp.Or(at.TokenURL, "https://github.com/login/oauth/access_token"),
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}}
}

func (g *github) authorizeURL(_ context.Context, f flow) (string, error) {
	return g.oauth.AuthCodeURL(f.signed, oauth2.S256ChallengeOption(f.verifier)), nil
}

// mixedUp knows no issuer that GitHub could name.
func (g *github) mixedUp(context.Context, string) bool { return false }

func (g *github) redeem(ctx context.Context, f flow, code string) (claims, error) {
	token, err := g.oauth.Exchange(ctx, code, oauth2.VerifierOption(f.verifier))
	if err != nil {
		return claims{}, exchangeFault(g.provider, err)
	}
	var user struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
	if err := g.get(ctx, token, "/user", &user); err != nil {
		return claims{}, err
	}
	if user.ID <= 0 { // the id is for good; the login name can be given up and taken by somebody else
		return claims{}, odd(g.provider, errors.New("the user has no id"))
	}
	c := claims{Subject: strconv.FormatInt(user.ID, 10), Name: nameOf(user.Name)}
	c.Email, c.Verified, err = g.primary(ctx, token)
	return c, err
}

// primary is the address that the user chose at GitHub as theirs.
func (g *github) primary(ctx context.Context, token *oauth2.Token) (email string, verified bool, err error) {
	var list []struct {
		Email    string `json:"email"`
		Primary  bool   `json:"primary"`
		Verified bool   `json:"verified"`
	}
	if err := g.get(ctx, token, "/user/emails", &list); err != nil {
		return "", false, err
	}
	for _, address := range list {
		if address.Primary {
			return usable(address.Email), address.Verified, nil
		}
	}
	return "", false, nil
}

func (g *github) get(ctx context.Context, token *oauth2.Token, path string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.api+path, nil)
	if err != nil {
		return odd(g.provider, err)
	}
	r.Header.Set("Accept", "application/vnd.github+json")
	r.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	r.Header.Set("Authorization", "Bearer "+token.AccessToken)
	client, ok := ctx.Value(oauth2.HTTPClient).(*http.Client)
	if !ok {
		return odd(g.provider, errors.New("there is no client to call with"))
	}
	response, err := client.Do(r)
	if err != nil {
		return away(g.provider, short(err))
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return away(g.provider, fmt.Errorf("%s answered %s", path, response.Status))
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		return odd(g.provider, short(err))
	}
	return nil
}
