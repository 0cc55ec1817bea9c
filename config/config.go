// Package config owns the configuration: one struct, where its values come from, and whether they make sense together.
//
// It never opens the database and never calls the upstream; of the disk it reads only what the configuration names. Its key
// idea: one table (options.go) knows every name, and all problems are reported together, each with what to do. Only the
// commands and internal/app import it; every other package has a small Config of its own.
package config

import (
	"net/netip"
	"strings"
	"time"
)

// Ways to keep the database (DB_CONNECTION).
const (
	DBExternal = "pgsql"
	DBEmbedded = "embedded"
)

// Where anonymous settings are kept (STORAGE_BACKEND).
const (
	StorageDatabase = "database"
	StorageFile     = "file"
)

// Who may register (REGISTRATION).
const (
	RegistrationOpen   = "open"
	RegistrationInvite = "invite"
	RegistrationClosed = "closed"
)

// Who must have a second factor (SECOND_FACTOR). Teams may demand more.
const (
	SecondFactorOptional   = "optional"
	SecondFactorSuperusers = "superusers"
	SecondFactorOwners     = "owners"
	SecondFactorAdmins     = "admins"
	SecondFactorAll        = "all"
)

// What those without credentials may do (ANONYMOUS_MODE).
const (
	AnonymousOff         = "off"
	AnonymousPassthrough = "passthrough"
)

// Config is the whole configuration after Load. Field and environment name go together: DataDir is DATA_DIR.
type Config struct {
	// Host is the address to listen on; 0.0.0.0 for every interface.
	Host string
	// Port is the port to listen on; 0 takes any free one.
	Port int
	// AdminListen is where operators are told what is not for everybody: host:port, or the absolute path of a Unix socket. Empty:
	// nowhere.
	AdminListen string
	// PublicURL is the origin that browsers see, without a slash at its end. It decides whether cookies are Secure and which
	// Origin is ours. Empty only when Port is 0 and nobody set it.
	PublicURL string
	// ContentURL is the origin that serves files of workspaces and nothing else, without a slash at its end; empty for none. It has
	// PublicURL's scheme and, but for its port at least, another host.
	ContentURL string
	// DataDir holds what is kept on disk: the embedded database, the generated JWT secret and the vault's generated keyset. Always absolute.
	DataDir string

	// DBConnection is DBExternal or DBEmbedded.
	DBConnection string
	// DatabaseURL is what to connect to, with an explicit sslmode, given or composed from DB_*. Empty when embedded.
	DatabaseURL Secret
	// DBHost is a host name, an address or the folder of a Unix socket.
	DBHost string
	// DBPort is the port of the external server.
	DBPort int
	// DBDatabase is the database's name.
	DBDatabase string
	// DBUsername is the account to connect as.
	DBUsername string
	// DBPassword is the account's password; may be empty.
	DBPassword Secret
	// DBSSLMode is one of libpq's sslmode values.
	DBSSLMode string
	// DBPoolSize is the greatest number of open connections.
	DBPoolSize int

	// StorageBackend is StorageDatabase or StorageFile.
	StorageBackend string
	// FileStore is the kind of blob store; "local" is the only one of this version.
	FileStore string
	// FileStorePath is the folder of the local blob store. Always absolute.
	FileStorePath string

	// VaultKeyset is what seals and opens the vault. Empty only with an embedded database: then a file in the data folder holds it.
	VaultKeyset Secret
	// VaultKeysetFile is where VaultKeyset was read, so that it can be read again; empty when it was given as a value. Always absolute.
	VaultKeysetFile string

	// JWTSecret signs access tokens. Empty only with an embedded database: then SecretFile gives it.
	JWTSecret Secret
	// JWTSecretPrevious are secrets that still verify, while JWTSecret is being changed.
	JWTSecretPrevious []Secret
	// JWTLifetime is how long an access token is good.
	JWTLifetime time.Duration
	// SessionLifetime is the longest life of a browser session.
	SessionLifetime time.Duration
	// SessionIdle ends a browser session that was not used for so long.
	SessionIdle time.Duration
	// Registration is who may make an account: open, invite or closed.
	Registration string
	// RequireVerified lets only those sign in and act who proved their address.
	RequireVerified bool
	// AllowedEmailDomains are the domains of those who may make an account by themselves, in lower case; empty for any.
	AllowedEmailDomains []string
	// PasswordBlocklist refuses common passwords.
	PasswordBlocklist bool
	// PasswordBreachURL is asked, by the first five digits of a password's SHA-1, for passwords that leaked; empty for nobody.
	PasswordBreachURL string
	// RegistrationHookURL is asked about everybody who wants an account, such as by a CAPTCHA's answer; empty for nobody.
	RegistrationHookURL string
	// RateLimits slows down those who try too often. Off is for tests.
	RateLimits bool
	// SecondFactor is who must have a second factor: SecondFactorOptional and its like.
	SecondFactor string
	// JWTPrivateKey is Ed25519 keys in PEM (PKCS #8): the first signs access tokens in the place of JWTSecret, the others verify;
	// their public halves are published. Empty for none.
	JWTPrivateKey Secret
	// PermittedCORSOrigins are origins of foreign pages that may call with API keys.
	PermittedCORSOrigins []string
	// SMTPURL is where mails go out: smtp:// (STARTTLS), smtps://, or smtp+plain:// for a server on this machine. Empty: mails wait in
	// the outbox.
	SMTPURL Secret
	// MailFrom is the sender of all mails, an address or "Name <address>".
	MailFrom string
	// GitHubClientID and its secret switch signing in by GitHub on.
	GitHubClientID     string
	GitHubClientSecret Secret
	// OIDC are the issuers by which people sign in: the one of the environment first, then those of YAML in their order.
	OIDC []OIDCProvider
	// AnonymousMode is the start value; what was set at run time is kept in the database and wins.
	AnonymousMode string

	// ServeFrontend says whether the Canvas UI is served.
	ServeFrontend bool
	// FrontendDir is the UI's build folder; it holds index.html.
	FrontendDir string

	// UpstreamURL is the origin of the OpenHands agent-server, without a slash at its end.
	UpstreamURL string
	// UpstreamAPIKey is the one key that opens the upstream.
	UpstreamAPIKey Secret
	// UpstreamWorkspaceRoot is the folder on the upstream's host below which all teams work.
	UpstreamWorkspaceRoot string
	// UpstreamWorkspaceMount is the same folder as seen from here; empty when it is not mounted here.
	UpstreamWorkspaceMount string
	// ConversationBash says whether members may run commands in the folder of a conversation of theirs.
	ConversationBash bool

	// TrustedProxies are the peers whose X-Forwarded-* headers count.
	TrustedProxies []netip.Prefix
	// EgressAllow are networks that URLs given by users may reach beyond the public ones.
	EgressAllow []netip.Prefix

	// LimitRequestsPerUser is how many requests of one user are answered at a time. Like all limits it counts on one replica, and
	// 0 is none.
	LimitRequestsPerUser int
	// LimitRequestsPerTeam is the same for all users of a team together.
	LimitRequestsPerTeam int
	// LimitUploadsPerUser is how many of a user's requests may carry a long body at a time.
	LimitUploadsPerUser int
	// LimitSocketsPerUser is how many WebSockets a user may have open.
	LimitSocketsPerUser int
	// LimitSocketsPerTeam is the same for all users of a team together.
	LimitSocketsPerTeam int
	// LimitStartsPerTeam is how many conversations of a team may be starting at a time.
	LimitStartsPerTeam int
	// LimitStartsPerMinute is how many conversations a team may start within a minute.
	LimitStartsPerMinute int
	// LimitSubscribersPerUser is how many WebSockets to one conversation a user may have open.
	LimitSubscribersPerUser int
	// LimitSubscribersPerConversation is the same for all users together.
	LimitSubscribersPerConversation int

	// OperatorLLMModel is the model that everybody may use; empty for none.
	OperatorLLMModel string
	// OperatorLLMBaseURL is where that model answers; empty for the provider's own address.
	OperatorLLMBaseURL string
	// OperatorLLMAPIKey is that model's key, which no user ever sees.
	OperatorLLMAPIKey Secret

	// Notices are remarks for the log: what was accepted but has no effect, and what is probably not meant so.
	Notices []string

	oidc    OIDCProvider      // the one of the environment
	origins map[string]string // where each value came from, by environment name
	invalid map[string]bool   // names whose value could not be read
}

// Secure says whether browsers come by https, so that cookies carry Secure and the __Host- prefix.
func (c *Config) Secure() bool { return strings.HasPrefix(c.PublicURL, "https://") }

// Embedded says whether the database is ours to start.
func (c *Config) Embedded() bool { return c.DBConnection == DBEmbedded }

// Anonymous says whether anonymous pass-through is the start value.
func (c *Config) Anonymous() bool { return c.AnonymousMode == AnonymousPassthrough }

// given says whether somebody set the value, as opposed to a default.
func (c *Config) given(name string) bool {
	origin, ok := c.origins[name]
	return ok && origin != originDefault
}
