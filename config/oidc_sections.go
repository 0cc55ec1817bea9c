package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// providersName is the one name in YAML that has sections below it.
const providersName = "OIDC"

// sectionKeys are what a section may hold, beside client_secret_file and roles.
var sectionKeys = []string{"name", "title", "issuer", "client_id", "client_secret", "scopes", "groups_claim", "allowed_domains"}

// field is where a key of a section goes.
func (p *OIDCProvider) field(key string) value {
	switch key {
	case "name":
		return textValue{&p.Name}
	case "title":
		return textValue{&p.Title}
	case "issuer":
		return urlValue{&p.Issuer}
	case "client_id":
		return textValue{&p.ClientID}
	case "client_secret":
		return secretValue{&p.ClientSecret}
	case "scopes":
		return wordsValue{&p.Scopes}
	case "groups_claim":
		return textValue{&p.GroupsClaim}
	case "allowed_domains":
		return domainsValue{&p.AllowedDomains}
	}
	return nil
}

// readProviders reads the list of issuers in YAML, strictly: what is not known is an error, and all problems are told.
func (c *Config) readProviders(content any, origin string, problems *Problems) {
	list, ok := content.([]any)
	if !ok && content != nil {
		problems.add(providersName, origin, "write a list of sections, each with name, issuer, client_id and client_secret_file")
		return
	}
	for n, one := range list {
		p := OIDCProvider{label: fmt.Sprintf("%s[%d]", providersName, n+1), origin: origin}
		section, ok := one.(map[string]any)
		if !ok {
			problems.add(p.label, origin, "write a section with name, issuer, client_id and client_secret_file")
			continue
		}
		c.readSection(&p, section, problems)
		c.OIDC = append(c.OIDC, p)
	}
}

func (c *Config) readSection(p *OIDCProvider, section map[string]any, problems *Problems) {
	for _, key := range slices.Sorted(maps.Keys(section)) {
		if err := p.read(key, section); err != nil {
			name := p.called(strings.ToUpper(strings.TrimSuffix(key, "_file")))
			problems.add(name, p.origin, "%v", err)
			c.invalid[name] = true
		}
	}
}

func (p *OIDCProvider) read(key string, section map[string]any) error {
	switch key {
	case "roles":
		return p.readRoles(section[key])
	case "client_secret_file":
		return p.readSecretFile(section)
	}
	to := p.field(key)
	if to == nil {
		return unknownKey(key, append([]string{"client_secret_file", "roles"}, sectionKeys...))
	}
	text, err := sectionText(section[key], plural(to))
	if err != nil || text == "" {
		return err
	}
	return to.set(text)
}

func plural(v value) bool {
	switch v.(type) {
	case wordsValue, domainsValue:
		return true
	}
	return false
}

func (p *OIDCProvider) readSecretFile(section map[string]any) error {
	path, err := sectionText(section["client_secret_file"], false)
	if err != nil {
		return err
	}
	if section["client_secret"] != nil {
		return errors.New("client_secret and client_secret_file are both set; keep one of the two")
	}
	secret, err := readSecret(path)
	p.ClientSecret = Secret(secret)
	return err
}

func (p *OIDCProvider) readRoles(content any) error {
	list, ok := content.([]any)
	if !ok {
		return errors.New("write a list of sections, each with group, team and role")
	}
	for _, one := range list {
		role, err := readRole(one)
		if err != nil {
			return err
		}
		p.Roles = append(p.Roles, role)
	}
	return nil
}

func readRole(content any) (role OIDCRole, err error) {
	section, ok := content.(map[string]any)
	if !ok {
		return role, errors.New("write a list of sections, each with group, team and role")
	}
	fields := map[string]*string{"group": &role.Group, "team": &role.Team, "role": &role.Role}
	for _, key := range slices.Sorted(maps.Keys(section)) {
		to, known := fields[key]
		if !known {
			return role, unknownKey(key, []string{"group", "team", "role"})
		}
		if *to, err = sectionText(section[key], false); err != nil {
			return role, err
		}
	}
	role.Role, role.Team = strings.ToLower(role.Role), strings.ToLower(role.Team)
	return role, nil
}

func unknownKey(key string, known []string) error {
	best, least := "", 3
	for _, candidate := range known {
		if d := distance(strings.ToLower(key), candidate); d < least && d*3 <= len(key) {
			best, least = candidate, d
		}
	}
	if best != "" {
		return fmt.Errorf("unknown name; did you mean %s?", best)
	}
	return fmt.Errorf("unknown name; remove it; a section has %s", strings.Join(known, ", "))
}

// sectionText takes texts only: YAML reads too much as something else.
func sectionText(content any, plural bool) (string, error) {
	switch content := content.(type) {
	case nil:
		return "", nil
	case string:
		return strings.TrimSpace(content), nil
	case []any:
		if !plural {
			return "", errors.New("takes one value, not a list")
		}
		return sectionList(content)
	}
	return "", errors.New("put the value in quotes: YAML reads it as something other than text")
}

func sectionList(items []any) (string, error) {
	texts := make([]string, len(items))
	for i, item := range items {
		text, ok := item.(string)
		if !ok || strings.Contains(text, ",") {
			return "", errors.New("write the list as texts in quotes")
		}
		texts[i] = text
	}
	return strings.Join(texts, ","), nil
}
