package config

import "strings"

// Setting is one effective value for people.
type Setting struct {
	Name   string
	Value  string // masked when secret
	Origin string // default, file PATH, env file PATH, environment, environment NAME_FILE, flag
}

// Describe returns every effective value in a fixed order, with secrets masked, and where each came from.
func (c *Config) Describe() []Setting {
	var settings []Setting
	for _, o := range options() {
		settings = append(settings, Setting{o.name, c.shown(o), c.origins[o.name]})
	}
	return append(settings, c.describeProviders()...)
}

func (c *Config) shown(o option) string {
	text := o.bind(c).text()
	switch {
	case c.invalid[o.name]:
		return "(invalid)"
	case text == "" && (o.name == "JWT_SECRET" || o.name == "VAULT_KEYSET") && c.Embedded():
		return "(kept in DATA_DIR)"
	case text == "":
		return "(not set)"
	}
	return text
}

// Name describes one name for help texts and for the documentation.
type Name struct {
	Env     string // DB_HOST
	Flag    string // db-host; "" for secrets, which must not appear in a process list
	Default string
	Help    string
	Secret  bool // may also be given as Env_FILE
}

// Names lists every name of this version.
func Names() []Name {
	var names []Name
	for _, o := range options() {
		n := Name{Env: o.name, Default: o.preset, Help: o.help, Secret: o.secret()}
		if !n.Secret {
			n.Flag = strings.ReplaceAll(strings.ToLower(o.name), "_", "-")
		}
		names = append(names, n)
	}
	return names
}
