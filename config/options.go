package config

import "time"

// option is one name people may set.
type option struct {
	name   string // in the environment; YAML has it in lower case, flags with hyphens
	preset string // the default, as text; "" may be derived from others (derive.go)
	help   string // one line for people
	bind   func(*Config) value
}

const day = 24 * time.Hour

// maxLimit bounds the limits of fair shares: whoever writes more means 0.
const maxLimit = 100_000

// options is every name of this version, in the order in which they are shown. A slice by function, so that nobody can
// change it.
func options() []option {
	return []option{
		{"HOST", "127.0.0.1", "address to listen on; 0.0.0.0 for every interface",
			func(c *Config) value { return textValue{&c.Host} }},
		{"PORT", "3001", "port to listen on",
			func(c *Config) value { return numberValue{&c.Port, 0, 65535} }},
		{"ADMIN_LISTEN", "", "where operators are told details: an address such as 127.0.0.1:9091, or the path of a Unix socket",
			func(c *Config) value { return listenValue{&c.AdminListen} }},
		{"PUBLIC_URL", "", "origin that browsers see, such as https://example.com",
			func(c *Config) value { return originValue{&c.PublicURL} }},
		{"CONTENT_URL", "", "a second origin that leads here, for pages that agents wrote, such as https://content.example.com",
			func(c *Config) value { return originValue{&c.ContentURL} }},
		{"DATA_DIR", "data", "folder for what is kept on disk",
			func(c *Config) value { return textValue{&c.DataDir} }},

		{"DB_CONNECTION", "", "pgsql (external) or embedded (ours, from the system's Postgres binaries)",
			func(c *Config) value {
				return choiceValue{to: &c.DBConnection, choices: []string{DBExternal, DBEmbedded}, aliases: map[string]string{"postgresql": DBExternal}}
			}},
		{"DATABASE_URL", "", "postgres://user:password@host:port/name, in place of DB_HOST and its like",
			func(c *Config) value { return secretValue{&c.DatabaseURL} }},
		{"DB_HOST", "", "host of the external Postgres, or the folder of its socket",
			func(c *Config) value { return textValue{&c.DBHost} }},
		{"DB_PORT", "5432", "its port",
			func(c *Config) value { return numberValue{&c.DBPort, 1, 65535} }},
		{"DB_DATABASE", "openhands", "its database",
			func(c *Config) value { return textValue{&c.DBDatabase} }},
		{"DB_USERNAME", "openhands", "its account",
			func(c *Config) value { return textValue{&c.DBUsername} }},
		{"DB_PASSWORD", "", "the account's password",
			func(c *Config) value { return secretValue{&c.DBPassword} }},
		{"DB_SSLMODE", "prefer", "disable, allow, prefer, require, verify-ca or verify-full",
			func(c *Config) value {
				return choiceValue{to: &c.DBSSLMode, choices: sslModes()}
			}},
		{"DB_POOL_SIZE", "20", "most open connections",
			func(c *Config) value { return numberValue{&c.DBPoolSize, 3, 1000} }},

		{"STORAGE_BACKEND", StorageDatabase, "database, or file: anonymous use keeps the upstream's own settings files",
			func(c *Config) value {
				return choiceValue{to: &c.StorageBackend, choices: []string{StorageDatabase, StorageFile}}
			}},
		{"FILE_STORE", "local", "kind of blob store; local in this version",
			func(c *Config) value {
				return choiceValue{to: &c.FileStore, choices: []string{"local"}, later: []string{"s3"}}
			}},
		{"FILE_STORE_PATH", "", "folder of the local blob store; by default files in DATA_DIR",
			func(c *Config) value { return textValue{&c.FileStorePath} }},
		{"VAULT_KEYSET", "", "the vault's keys, from 'openhands-saas vault keyset'; made in DATA_DIR when the database is embedded",
			func(c *Config) value { return secretValue{&c.VaultKeyset} }},

		{"JWT_SECRET", "", "signs access tokens; at least 32 bytes; made in DATA_DIR when the database is embedded",
			func(c *Config) value { return secretValue{&c.JWTSecret} }},
		{"JWT_SECRET_PREVIOUS", "", "secrets that still verify while JWT_SECRET is changed",
			func(c *Config) value { return secretsValue{&c.JWTSecretPrevious} }},
		{"JWT_LIFETIME", "1h", "how long an access token is good",
			func(c *Config) value { return spanValue{&c.JWTLifetime, time.Minute, 30 * day} }},
		{"SESSION_LIFETIME", "720h", "longest life of a browser session, and of one that refresh tokens keep going",
			func(c *Config) value { return spanValue{&c.SessionLifetime, 5 * time.Minute, 366 * day} }},
		{"SESSION_IDLE", "168h", "such a session ends when it was not used for so long",
			func(c *Config) value { return spanValue{&c.SessionIdle, time.Minute, 366 * day} }},
		{"REGISTRATION", RegistrationInvite, "who may make an account: open, invite or closed",
			func(c *Config) value {
				return choiceValue{to: &c.Registration, choices: []string{RegistrationOpen, RegistrationInvite, RegistrationClosed}}
			}},
		{"REQUIRE_VERIFIED", "off", "only who proved their e-mail address may sign in and act",
			func(c *Config) value { return switchValue{&c.RequireVerified} }},
		{"ALLOWED_EMAIL_DOMAINS", "", "domains of those who may make an account by themselves; empty for any",
			func(c *Config) value { return domainsValue{&c.AllowedEmailDomains} }},
		{"PASSWORD_BLOCKLIST", "on", "refuse common passwords",
			func(c *Config) value { return switchValue{&c.PasswordBlocklist} }},
		{"PASSWORD_BREACH_URL", "", "service in the form of Pwned Passwords' range API that knows leaked passwords; empty for none",
			func(c *Config) value { return urlValue{&c.PasswordBreachURL} }},
		{"REGISTRATION_HOOK_URL", "", "service that is asked about everybody who registers, such as by a CAPTCHA; empty for none",
			func(c *Config) value { return urlValue{&c.RegistrationHookURL} }},
		{"RATE_LIMITS", "on", "slow down those who try too often; off is for tests",
			func(c *Config) value { return switchValue{&c.RateLimits} }},
		{"SECOND_FACTOR", SecondFactorOptional, "who must have a second factor: optional, superusers, owners, admins (and owners) or all",
			func(c *Config) value {
				return choiceValue{to: &c.SecondFactor, choices: []string{SecondFactorOptional, SecondFactorSuperusers, SecondFactorOwners, SecondFactorAdmins, SecondFactorAll}}
			}},
		{"JWT_PRIVATE_KEY", "", "Ed25519 keys in PEM: the first signs access tokens, the others verify; their public halves are at /.well-known/jwks.json",
			func(c *Config) value { return secretValue{&c.JWTPrivateKey} }},
		{"SMTP_URL", "", "where mails go out, such as smtp://user:password@mail.example.com:587; without it they wait in the outbox",
			func(c *Config) value { return secretValue{&c.SMTPURL} }},
		{"MAIL_FROM", "", "sender of all mails, such as OpenHands <openhands@example.com>",
			func(c *Config) value { return textValue{&c.MailFrom} }},
		{"GITHUB_CLIENT_ID", "", "of the OAuth app for signing in by GitHub",
			func(c *Config) value { return textValue{&c.GitHubClientID} }},
		{"GITHUB_CLIENT_SECRET", "", "its secret",
			func(c *Config) value { return secretValue{&c.GitHubClientSecret} }},
		{"OIDC_ISSUER", "", "URL of an OpenID Connect issuer by which people sign in; more of them in YAML, as a list oidc",
			func(c *Config) value { return urlValue{&c.oidc.Issuer} }},
		{"OIDC_CLIENT_ID", "", "our client id there",
			func(c *Config) value { return textValue{&c.oidc.ClientID} }},
		{"OIDC_CLIENT_SECRET", "", "its secret",
			func(c *Config) value { return secretValue{&c.oidc.ClientSecret} }},
		{"OIDC_NAME", "oidc", "the issuer's name in paths: /api/auth/NAME/callback",
			func(c *Config) value { return textValue{&c.oidc.Name} }},
		{"OIDC_TITLE", "", "what the button on the sign-in page calls it; by default its name",
			func(c *Config) value { return textValue{&c.oidc.Title} }},
		{"OIDC_SCOPES", "", "scopes to ask for beside openid; by default email and profile",
			func(c *Config) value { return wordsValue{&c.oidc.Scopes} }},
		{"OIDC_GROUPS_CLAIM", "", "claim that holds a user's groups, for roles in teams",
			func(c *Config) value { return textValue{&c.oidc.GroupsClaim} }},
		{"OIDC_ALLOWED_DOMAINS", "", "domains whose people may come by it for the first time, whatever REGISTRATION says, and no others",
			func(c *Config) value { return domainsValue{&c.oidc.AllowedDomains} }},
		{"PERMITTED_CORS_ORIGINS", "", "origins of foreign pages that may call with API keys, never with cookies",
			func(c *Config) value { return originsValue{&c.PermittedCORSOrigins} }},
		{"ANONYMOUS_MODE", AnonymousOff, "off or passthrough: the start value for those without credentials",
			func(c *Config) value {
				return choiceValue{to: &c.AnonymousMode, choices: []string{AnonymousOff, AnonymousPassthrough}}
			}},

		{"SERVE_FRONTEND", "true", "serve the Canvas UI",
			func(c *Config) value { return switchValue{&c.ServeFrontend} }},
		{"FRONTEND_DIR", "", "build folder of the Canvas UI",
			func(c *Config) value { return textValue{&c.FrontendDir} }},

		{"UPSTREAM_URL", "", "origin of the agent-server, such as http://127.0.0.1:8000",
			func(c *Config) value { return originValue{&c.UpstreamURL} }},
		{"UPSTREAM_API_KEY", "", "the agent-server's session API key; at least 16 bytes",
			func(c *Config) value { return secretValue{&c.UpstreamAPIKey} }},
		{"UPSTREAM_WORKSPACE_ROOT", "", "folder on the agent-server's host below which all teams work",
			func(c *Config) value { return textValue{&c.UpstreamWorkspaceRoot} }},
		{"UPSTREAM_WORKSPACE_MOUNT", "", "the same folder as seen from here, when it is mounted here",
			func(c *Config) value { return textValue{&c.UpstreamWorkspaceMount} }},
		{"CONVERSATION_BASH", "on", "members may run commands in the folder of a conversation of theirs",
			func(c *Config) value { return switchValue{&c.ConversationBash} }},

		{"TRUSTED_PROXIES", "", "networks of proxies whose X-Forwarded-* headers count",
			func(c *Config) value { return networksValue{to: &c.TrustedProxies} }},
		{"EGRESS_ALLOW", "", "networks that URLs given by users may reach beyond the public ones",
			func(c *Config) value { return networksValue{to: &c.EgressAllow, wide: true} }},

		{"LIMIT_REQUESTS_PER_USER", "64", "requests of one user that are answered at a time; 0 for no limit, here and below",
			func(c *Config) value { return numberValue{&c.LimitRequestsPerUser, 0, maxLimit} }},
		{"LIMIT_REQUESTS_PER_TEAM", "256", "the same for all users of a team together",
			func(c *Config) value { return numberValue{&c.LimitRequestsPerTeam, 0, maxLimit} }},
		{"LIMIT_UPLOADS_PER_USER", "8", "uploads of one user at a time",
			func(c *Config) value { return numberValue{&c.LimitUploadsPerUser, 0, maxLimit} }},
		{"LIMIT_SOCKETS_PER_USER", "32", "open WebSockets of one user",
			func(c *Config) value { return numberValue{&c.LimitSocketsPerUser, 0, maxLimit} }},
		{"LIMIT_SOCKETS_PER_TEAM", "128", "the same for all users of a team together",
			func(c *Config) value { return numberValue{&c.LimitSocketsPerTeam, 0, maxLimit} }},
		{"LIMIT_STARTS_PER_TEAM", "10", "conversations of one team that are starting at a time",
			func(c *Config) value { return numberValue{&c.LimitStartsPerTeam, 0, maxLimit} }},
		{"LIMIT_STARTS_PER_MINUTE", "60", "conversations that one team starts within a minute",
			func(c *Config) value { return numberValue{&c.LimitStartsPerMinute, 0, maxLimit} }},
		{"LIMIT_SUBSCRIBERS_PER_USER", "16", "open WebSockets of one user to one conversation",
			func(c *Config) value { return numberValue{&c.LimitSubscribersPerUser, 0, maxLimit} }},
		{"LIMIT_SUBSCRIBERS_PER_CONVERSATION", "40", "the same for all users together; the agent-server serves some 47",
			func(c *Config) value { return numberValue{&c.LimitSubscribersPerConversation, 0, maxLimit} }},

		{"OPERATOR_LLM_MODEL", "", "a model for everybody, such as openai/gpt-5.6",
			func(c *Config) value { return textValue{&c.OperatorLLMModel} }},
		{"OPERATOR_LLM_BASE_URL", "", "where that model answers",
			func(c *Config) value { return urlValue{&c.OperatorLLMBaseURL} }},
		{"OPERATOR_LLM_API_KEY", "", "that model's key, which no user sees",
			func(c *Config) value { return secretValue{&c.OperatorLLMAPIKey} }},
	}
}

// secret says whether the value must never be shown, and may come from a file (NAME_FILE).
func (o option) secret() bool {
	switch o.bind(new(Config)).(type) {
	case secretValue, secretsValue:
		return true
	}
	return false
}

// numeric says whether a YAML number reads as what was meant.
func (o option) numeric() bool {
	switch o.bind(new(Config)).(type) {
	case numberValue, spanValue:
		return true
	}
	return false
}

// plural says whether the value is a list.
func (o option) plural() bool {
	switch o.bind(new(Config)).(type) {
	case secretsValue, networksValue, domainsValue, originsValue, wordsValue:
		return true
	}
	return false
}
