package app

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"net/http"
	"net/url"
	"time"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/auth/factor"
	"github.com/openhands-saas/openhands-saas/auth/oidc"
	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/egress"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
	"github.com/openhands-saas/openhands-saas/tenancy"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
	"github.com/openhands-saas/openhands-saas/web"
)

// composeTenants makes the services that need only the database, from the bottom row to the top, and wires their hooks. The
// secret signs and reads access tokens; commands, which do neither, have none.
func (a *App) composeTenants(secret config.Secret) error {
	a.secret = secret
	if err := a.composeKeys(); err != nil {
		return err
	}
	if err := a.composeMail(); err != nil {
		return err
	}
	if err := a.composeLimits(); err != nil {
		return err
	}
	if err := a.composeDevices(); err != nil {
		return err
	}
	a.teams = tenancy.New(a.db())
	a.apiKeys = apikey.New(apikey.Config{DB: a.db(), MayBind: a.teams.MayBind})
	a.services = tenancy.NewServiceAccounts(a.db(), a.apiKeys)
	verifier := a.verifier()
	a.auth = auth.New(a.authConfig(secret, verifier))
	a.factors = factor.New(verifier, a.auth, a.mailer())
	a.oidc = oidc.New(a.oidcConfig())
	a.factors.OtherWay = a.oidc.CanSignIn
	a.mode = tenancy.NewAnonymous(a.db(), a.cfg.Anonymous(), a.cfg.StorageBackend == config.StorageFile)
	a.gate = tenancy.NewGate(a.auth, a.teams, a.mode, a.cookieName())
	a.objects = conversation.New(a.db(), conversation.Options{Lease: agentserver.CreateTimeout + time.Minute})
	a.composeVault()
	return nil
}

// composeProxy makes the way to the upstream. It does not contact it.
func (a *App) composeProxy() error {
	var err error
	if a.dialect, err = agentserver.New(a.dialectConfig()); err != nil {
		return err
	}
	if a.engine, err = a.newEngine(); err != nil {
		return err
	}
	a.dialect.Attach(a.engine)
	return nil
}

// signingSecret is JWT_SECRET, or with an embedded database the one that was made once in the data folder.
func signingSecret(cfg *config.Config) (config.Secret, error) {
	if cfg.JWTSecret != "" {
		return cfg.JWTSecret, nil
	}
	return config.SecretFile(cfg.DataDir)
}

func (a *App) authConfig(secret config.Secret, verifier *factor.Verifier) auth.Config {
	previous := make([][]byte, len(a.cfg.JWTSecretPrevious))
	for i, old := range a.cfg.JWTSecretPrevious {
		previous[i] = []byte(old.Reveal())
	}
	keys, _ := a.cfg.SigningKeys() // they were looked at with the rest of the configuration
	return auth.Config{
		DB:              a.db(),
		JWTSecret:       []byte(secret.Reveal()),
		PreviousSecrets: previous,
		SigningKeys:     keys,
		JWTLifetime:     a.cfg.JWTLifetime,
		SessionLifetime: a.cfg.SessionLifetime,
		SessionIdle:     a.cfg.SessionIdle,
		Registration:    a.cfg.Registration,
		RequireVerified: a.cfg.RequireVerified,
		EmailDomains:    a.cfg.AllowedEmailDomains,
		Blocklist:       a.cfg.PasswordBlocklist,
		BreachURL:       a.cfg.PasswordBreachURL,
		Hash:            a.hash,
		Hashes:          a.hashes,
		PublicURL:       a.siteURL(),
		Mail:            a.mailer(),
		Keys:            a.apiKeys,
		Factors:         verifier,
		Limits:          a.accountLimits(),
		Log:             a.log,
		Hooks:           a.hooks(),
	}
}

func (a *App) dialectConfig() agentserver.Config {
	frontend := a.cfg.FrontendDir
	if !a.cfg.ServeFrontend {
		frontend = ""
	}
	return agentserver.Config{
		Conversations:  a.objects,
		Vault:          a.vault,
		Egress:         &egress.Policy{Allow: a.cfg.EgressAllow},
		WorkspaceRoot:  a.cfg.UpstreamWorkspaceRoot,
		WorkspaceMount: a.cfg.UpstreamWorkspaceMount,
		Bash:           a.cfg.ConversationBash,
		HasUsers:       a.hasUsers,
		OperatorModel: agentserver.OperatorModel{
			Model:   a.cfg.OperatorLLMModel,
			BaseURL: a.cfg.OperatorLLMBaseURL,
			APIKey:  a.cfg.OperatorLLMAPIKey.Reveal(),
		},
		AnonymousFiles: a.cfg.StorageBackend == config.StorageFile,
		FrontendDir:    frontend,
		ContentOrigin:  a.cfg.ContentURL,
		Head:           web.OverlayHead,
		Log:            a.log,
	}
}

// hasUsers says whether anybody has an account here.
func (a *App) hasUsers(ctx context.Context) (bool, error) {
	var some bool
	err := a.db().GetContext(ctx, &some, `SELECT EXISTS (SELECT 1 FROM users)`)
	return some, err
}

func (a *App) newEngine() (*proxy.Engine, error) {
	upstream, err := url.Parse(a.cfg.UpstreamURL)
	if err != nil {
		return nil, err
	}
	identity, err := hkdf.Key(sha256.New, []byte(a.secret.Reveal()), nil, "openhands-saas identity tokens for the upstream", 32)
	if err != nil {
		return nil, err
	}
	content, err := a.contentConfig()
	if err != nil {
		return nil, err
	}
	return proxy.New(proxy.Config{
		Upstream:       upstream,
		Key:            a.cfg.UpstreamAPIKey.Reveal(),
		Secrets:        a.maskedSecrets(),
		Operations:     a.dialect.Operations(),
		Gate:           a.gate,
		Objects:        a.objects,
		Events:         a.db().Bus,
		Fallback:       a.dialect.UI(),
		Origins:        a.origins(),
		TrustedProxies: a.cfg.TrustedProxies,
		IdentityKey:    identity,
		Content:        content,
		Hidden:         a.recordHidden,
		Limits:         a.limits(),
		Log:            a.log,
	})
}

// maskedSecrets are the values that no client may ever receive, whatever an agent prints.
func (a *App) maskedSecrets() []string {
	if a.cfg.OperatorLLMAPIKey == "" {
		return nil
	}
	return []string{a.cfg.OperatorLLMAPIKey.Reveal()}
}

// origins are what a browser may say that our own pages come from, beside the host that it asked.
func (a *App) origins() []string {
	if a.cfg.PublicURL == "" {
		return nil
	}
	return []string{a.cfg.PublicURL}
}

func (a *App) cookieName() string { return auth.CookieName(a.cfg.Secure()) }

// clientIP is the address of who asks, as far as the trusted proxies tell; empty when it cannot be told.
func (a *App) clientIP(r *http.Request) string {
	address := a.engine.ClientAddress(r)
	if !address.IsValid() {
		return ""
	}
	return address.String()
}
