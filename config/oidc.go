package config

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// OIDCProvider is an issuer by which people sign in.
type OIDCProvider struct {
	Name           string // in paths
	Title          string // for people; empty: the name
	Issuer         string
	ClientID       string
	ClientSecret   Secret
	Scopes         []string
	GroupsClaim    string
	AllowedDomains []string
	Roles          []OIDCRole

	label  string // how problems call it
	origin string // where it was read; empty for the environment's
}

// OIDCRole gives those in a group a role in a team.
type OIDCRole struct{ Group, Team, Role string }

// deriveProviders puts the environment's issuer before those of YAML.
func (c *Config) deriveProviders() {
	if c.oidcGiven() {
		c.OIDC = append([]OIDCProvider{c.oidc}, c.OIDC...)
	}
}

// oidcGiven says whether the environment has an issuer: whoever sets any of the names means one.
func (c *Config) oidcGiven() bool {
	for _, name := range []string{
		"OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_NAME", "OIDC_TITLE", "OIDC_SCOPES", "OIDC_GROUPS_CLAIM", "OIDC_ALLOWED_DOMAINS",
	} {
		if c.given(name) {
			return true
		}
	}
	return false
}

// checkProviders looks at what each issuer needs, and that no two have one name.
func (c *Config) checkProviders(problems *Problems) {
	names := map[string]bool{}
	for _, p := range c.OIDC {
		report := func(key, text string) {
			if name := p.called(key); !c.invalid[name] {
				problems.add(name, p.origin, "%s", text)
			}
		}
		p.check(report)
		if names[p.Name] {
			report("NAME", "two issuers have this name: give each its own")
		}
		names[p.Name] = true
	}
}

// called is the name of a setting of the issuer.
func (p OIDCProvider) called(key string) string {
	if p.origin == "" {
		return "OIDC_" + key
	}
	return p.label + "." + key
}

var providerName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// taken are names that mean something else in our paths.
var taken = []string{"github", "jwt", "cookie", "users", "device", "factors", "passkeys", "sessions", "register", "login", "logout", "refresh", "link"}

func (p OIDCProvider) check(report func(key, text string)) {
	if !providerName.MatchString(p.Name) || slices.Contains(taken, p.Name) {
		report("NAME", "write a name of small letters, digits and hyphens that begins with a letter and has no meaning of its own here, such as corp: it stands in paths")
	}
	u, err := url.Parse(p.Issuer)
	switch {
	case p.Issuer == "":
		report("ISSUER", "set it to the issuer's URL, such as https://login.example.com")
	case err == nil && u.Scheme != "https" && !local(u.Hostname()):
		report("ISSUER", "write https: what comes from an issuer decides who people are")
	}
	if p.ClientID == "" {
		report("CLIENT_ID", "set it to the client id that the issuer gave us")
	}
	if p.ClientSecret == "" {
		report("CLIENT_SECRET", "set it to the secret that the issuer gave us, or name a file that holds it (CLIENT_SECRET_FILE)")
	}
	if len(p.Roles) > 0 && p.GroupsClaim == "" {
		report("GROUPS_CLAIM", "set it to the claim that holds the groups: roles follow from them")
	}
	for _, r := range p.Roles {
		r.check(report)
	}
}

// roleNames are those that a group can give.
var roleNames = []string{"owner", "admin", "developer", "viewer"}

func (r OIDCRole) check(report func(key, text string)) {
	if _, err := uuid.Parse(r.Team); err != nil || len(r.Team) != 36 {
		report("ROLES", "write for each team its id, as GET /api/teams shows it")
	}
	if r.Group == "" {
		report("ROLES", "write for each role the group that has it")
	}
	if !slices.Contains(roleNames, r.Role) {
		report("ROLES", "write for each role one of: "+strings.Join(roleNames, ", "))
	}
}

// describeProviders shows the issuers of YAML; the environment's is among the names.
func (c *Config) describeProviders() []Setting {
	var settings []Setting
	for _, p := range c.OIDC {
		if p.origin == "" {
			continue
		}
		for _, key := range sectionKeys {
			text := "(not set)"
			if shown := p.field(key).text(); shown != "" {
				text = shown
			}
			settings = append(settings, Setting{p.called(strings.ToUpper(key)), text, p.origin})
		}
		for _, r := range p.Roles {
			settings = append(settings, Setting{p.called("ROLES"), r.Group + " is " + r.Role + " of " + r.Team, p.origin})
		}
	}
	return settings
}
