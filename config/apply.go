package config

import (
	"cmp"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// apply reads the merged texts into the fields.
func (c *Config) apply(r registry, merged layer, problems *Problems) {
	for _, o := range options() {
		e, set := merged[o.name]
		if !set {
			e = entry{text: o.preset, origin: originDefault}
		}
		c.origins[o.name] = e.origin
		c.read(o, e, problems)
	}
	for _, name := range merged.names() {
		c.refuse(r, name, merged[name], problems)
	}
}

func (c *Config) read(o option, e entry, problems *Problems) {
	if e.failed {
		c.invalid[o.name] = true
		return
	}
	text := e.text
	if !o.secret() {
		text = strings.TrimSpace(text)
	}
	if text == "" {
		return
	}
	if err := o.bind(c).set(text); err != nil {
		c.fault(problems, o.name, err.Error())
	}
	if o.name == "VAULT_KEYSET" {
		c.VaultKeysetFile = e.file
	}
}

// fault reports a value that was given and cannot be used.
func (c *Config) fault(problems *Problems, name, text string) {
	c.invalid[name] = true
	problems.add(name, c.origins[name], "%s", text)
}

// refuse reports what this version cannot honour, and remarks on what is not ours.
func (c *Config) refuse(r registry, name string, e entry, problems *Problems) {
	if hint, ok := r.theirs[name]; ok {
		c.notice("%s (%s) is accepted and has no effect: %s.", name, e.origin, hint)
		return
	}
	l, isLater := r.later(name)
	if isLater && !slices.Contains(l.off, strings.ToLower(strings.TrimSpace(e.text))) {
		problems.add(name, e.origin, "not available in this version: remove it")
	}
}

// derive fills the defaults that depend on other values.
func (c *Config) derive(problems *Problems) {
	c.DataDir = c.absolute("DATA_DIR", c.DataDir, problems)
	c.FileStorePath = c.absolute("FILE_STORE_PATH", cmp.Or(c.FileStorePath, filepath.Join(c.DataDir, "files")), problems)
	if c.VaultKeysetFile != "" {
		c.VaultKeysetFile = c.absolute("VAULT_KEYSET", c.VaultKeysetFile, problems)
	}
	if c.FrontendDir != "" {
		c.FrontendDir = c.absolute("FRONTEND_DIR", c.FrontendDir, problems)
	}
	if c.PublicURL == "" && c.Port != 0 {
		c.PublicURL = "http://" + net.JoinHostPort("localhost", strconv.Itoa(c.Port))
	}
	if !c.given("SESSION_IDLE") {
		c.SessionIdle = min(c.SessionIdle, c.SessionLifetime)
	}
	c.deriveProviders()
	c.deriveDatabase(problems)
}

func (c *Config) absolute(name, path string, problems *Problems) string {
	abs, err := filepath.Abs(path)
	if err != nil || strings.ContainsRune(path, 0) {
		c.fault(problems, name, "write the path of a folder")
	}
	return abs
}
