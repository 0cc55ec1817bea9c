package config

import (
	"net/netip"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
)

const (
	// minKey is the least length of the upstream's key: shorter ones are guessed, and could not be masked in answers without
	// masking innocent text.
	minKey = 16
	// minModelKey is the same for the operator's model, whose provider decides how keys look.
	minModelKey = 8
)

// check looks at what the values mean together. What the purpose does not need may be missing.
func (c *Config) check(purpose Purpose, problems *Problems) {
	c.checkListen(problems)
	c.checkContent(problems)
	c.checkStorage(problems)
	c.checkSecrets(purpose, problems)
	c.checkVault(purpose, problems)
	c.checkAccounts(problems)
	c.checkProviders(problems)
	c.checkUpstream(purpose, problems)
	c.checkOperator(problems)
	c.checkEgress()
	c.checkLimits()
	if purpose == ForServe {
		c.checkFrontend(problems)
	}
}

// need reports a missing value, unless it is there and was reported already.
func (c *Config) need(problems *Problems, name, text string) {
	if !c.invalid[name] {
		problems.add(name, "", "%s", text)
	}
}

func (c *Config) checkListen(problems *Problems) {
	_, err := netip.ParseAddr(c.Host)
	if err != nil && strings.ContainsAny(c.Host, ":/ []@") {
		c.fault(problems, "HOST", "write an address or a host name, without port and scheme")
	}
	if !c.given("PUBLIC_URL") && c.PublicURL != "" && !local(c.Host) {
		c.notice("PUBLIC_URL is not set, so only browsers at %s can sign in: set it to the origin that people use.", c.PublicURL)
	}
	if u, err := url.Parse(c.PublicURL); err == nil && u.Scheme == "http" && !local(u.Hostname()) {
		c.notice("PUBLIC_URL is http: passwords and sessions travel readable. Put TLS in front and write https.")
	}
}

func local(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func (c *Config) checkStorage(problems *Problems) {
	if c.StorageBackend == StorageFile && !c.Anonymous() && !c.invalid["ANONYMOUS_MODE"] {
		c.fault(problems, "STORAGE_BACKEND", "file is for anonymous use: set ANONYMOUS_MODE=passthrough, too, or use database")
	}
	if c.given("FILE_STORE_PATH") {
		c.notice("FILE_STORE_PATH is for the archive of events; this version writes nothing there.")
	}
}

func (c *Config) checkSecrets(purpose Purpose, problems *Problems) {
	if c.JWTSecret != "" {
		if err := strongSecret(c.JWTSecret.Reveal()); err != nil {
			c.fault(problems, "JWT_SECRET", err.Error())
		}
	} else if c.DBConnection == DBExternal && purpose == ForServe {
		c.need(problems, "JWT_SECRET", "set it, the same for all replicas; make one with: openssl rand -base64 48")
	}
	for _, previous := range c.JWTSecretPrevious {
		if err := strongSecret(previous.Reveal()); err != nil {
			c.fault(problems, "JWT_SECRET_PREVIOUS", err.Error()+", and leave this one out: whoever guesses it can sign in as anybody")
			break
		}
	}
	if c.SessionIdle > c.SessionLifetime && !c.invalid["SESSION_IDLE"] && !c.invalid["SESSION_LIFETIME"] {
		c.fault(problems, "SESSION_IDLE", "is longer than SESSION_LIFETIME: write the same or less")
	}
}

func (c *Config) checkVault(purpose Purpose, problems *Problems) {
	if c.VaultKeyset == "" && c.DBConnection == DBExternal && purpose != ForDatabase {
		c.need(problems, "VAULT_KEYSET", "set it, the same for all replicas; make one with: openhands-saas vault keyset")
	}
}

func (c *Config) checkUpstream(purpose Purpose, problems *Problems) {
	if purpose == ForServe || purpose == ForUpstream {
		c.needUpstream(problems)
	}
	if key := c.UpstreamAPIKey.Reveal(); key != "" && (len(key) < minKey || strings.ContainsFunc(key, notInKey)) {
		c.fault(problems, "UPSTREAM_API_KEY", "write at least 16 printable ASCII characters without blanks, \" and \\ (JSON writes those in another way, so that the key could not be masked in answers), the same as in the upstream's configuration; make one with: openssl rand -hex 32")
	}
	if root := c.UpstreamWorkspaceRoot; root != "" && !canonical(root) {
		c.fault(problems, "UPSTREAM_WORKSPACE_ROOT", "write an absolute folder other than /, without . and .. and doubled or trailing slashes (/srv/openhands/workspaces)")
	}
	if mount := c.UpstreamWorkspaceMount; mount != "" && (!canonical(mount) || !isDir(mount)) {
		c.fault(problems, "UPSTREAM_WORKSPACE_MOUNT", "write an absolute folder that exists here, or remove it")
	}
}

func (c *Config) needUpstream(problems *Problems) {
	if c.UpstreamURL == "" {
		c.need(problems, "UPSTREAM_URL", "set it to the agent-server's origin, such as http://127.0.0.1:8000")
	}
	if c.UpstreamAPIKey == "" {
		c.need(problems, "UPSTREAM_API_KEY", "set it to the session API key in the agent-server's configuration")
	}
	if c.UpstreamWorkspaceRoot == "" {
		c.need(problems, "UPSTREAM_WORKSPACE_ROOT", "set it to a folder on the agent-server's host, such as /srv/openhands/workspaces")
	}
}

// notInKey refuses what no header carries, and what JSON writes in another way: such a key would not be found, and so not be
// masked, in what agents print.
func notInKey(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }

// canonical says whether p is the one way to write an absolute folder below the root.
func canonical(p string) bool {
	control := strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f })
	return path.IsAbs(p) && path.Clean(p) == p && p != "/" && !control
}

func isDir(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.IsDir()
}

func (c *Config) checkFrontend(problems *Problems) {
	if !c.ServeFrontend || c.invalid["SERVE_FRONTEND"] {
		return
	}
	if c.FrontendDir == "" {
		c.need(problems, "FRONTEND_DIR", "set it to the build folder of the Canvas UI, or set SERVE_FRONTEND=false")
		return
	}
	if info, err := os.Stat(filepath.Join(c.FrontendDir, "index.html")); err != nil || !info.Mode().IsRegular() {
		c.fault(problems, "FRONTEND_DIR", "there is no readable index.html in this folder: name the build folder of the Canvas UI, or set SERVE_FRONTEND=false")
	}
}

func (c *Config) checkOperator(problems *Problems) {
	if c.OperatorLLMModel == "" {
		for _, name := range []string{"OPERATOR_LLM_BASE_URL", "OPERATOR_LLM_API_KEY"} {
			if c.given(name) {
				c.fault(problems, name, "has no effect without OPERATOR_LLM_MODEL: set that, too, or remove this")
			}
		}
		return
	}
	if key := c.OperatorLLMAPIKey.Reveal(); key != "" && (len(key) < minModelKey || strings.ContainsFunc(key, notInKey)) {
		c.fault(problems, "OPERATOR_LLM_API_KEY", "write at least 8 printable ASCII characters without blanks, \" and \\: a shorter key, or one that JSON writes in another way, could not be masked in what agents print")
	}
	if c.OperatorLLMAPIKey == "" && c.OperatorLLMBaseURL == "" && !c.invalid["OPERATOR_LLM_BASE_URL"] {
		c.need(problems, "OPERATOR_LLM_API_KEY", "set it beside OPERATOR_LLM_MODEL; only a server of your own, named by OPERATOR_LLM_BASE_URL, may need none")
	}
}

func (c *Config) checkEgress() {
	for _, network := range c.EgressAllow {
		if network.Bits() == 0 {
			c.notice("EGRESS_ALLOW holds %s: users may make the upstream call anything, the cloud's metadata included.", network)
		}
	}
}

// servedSubscribers is how many WebSockets to one conversation the agent-server serves, less those that it keeps for itself.
const servedSubscribers = 47

// checkLimits remarks on limits that protect less than they seem to.
func (c *Config) checkLimits() {
	for _, pair := range []struct {
		one, all string
		of, in   int
	}{
		{"LIMIT_REQUESTS_PER_USER", "LIMIT_REQUESTS_PER_TEAM", c.LimitRequestsPerUser, c.LimitRequestsPerTeam},
		{"LIMIT_SOCKETS_PER_USER", "LIMIT_SOCKETS_PER_TEAM", c.LimitSocketsPerUser, c.LimitSocketsPerTeam},
		{"LIMIT_SUBSCRIBERS_PER_USER", "LIMIT_SUBSCRIBERS_PER_CONVERSATION", c.LimitSubscribersPerUser, c.LimitSubscribersPerConversation},
	} {
		if pair.in != 0 && (pair.of == 0 || pair.of > pair.in) && !c.invalid[pair.one] && !c.invalid[pair.all] {
			c.notice("%s allows more than %s, so that one person can take all of it.", pair.one, pair.all)
		}
	}
	const of = "LIMIT_SUBSCRIBERS_PER_CONVERSATION"
	if most := c.LimitSubscribersPerConversation; !c.invalid[of] && (most == 0 || most > servedSubscribers) {
		c.notice("%s allows more than the agent-server serves (some %d): who comes after them is refused by it.", of, servedSubscribers)
	}
}
