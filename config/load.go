package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Purpose is what the configuration is loaded for; it decides what must be there.
type Purpose int

// The purposes.
const (
	ForServe    Purpose = iota // everything
	ForUpstream                // the database and the upstream
	ForDatabase                // the database only: accounts, migrations
	ForVault                   // the database and the vault's keys
)

// originDefault is the origin of values nobody set.
const originDefault = "default"

// defaultEnvFile is read when it is there and no other is named.
const defaultEnvFile = ".env.saas"

// Sources says where to look. Later ones win: defaults, YAML, env file, environment, flags.
type Sources struct {
	YAML    string            // path of --config; "" for none
	EnvFile string            // path of --env-file; "" for .env.saas in Dir, if it is there
	Environ []string          // NAME=value; nil for the process's own
	Flags   map[string]string // by environment name
	Dir     string            // where .env.saas is looked for; "" for the working folder
	Purpose Purpose
}

// Load reads all sources and checks them. The error is Problems: all of them together. The configuration is returned then,
// too, but good for Describe only.
func Load(s Sources) (*Config, error) {
	c := &Config{origins: map[string]string{}, invalid: map[string]bool{}}
	r := newRegistry()
	var problems Problems
	merged := layer{}
	for _, l := range s.layers(r, c, &problems) {
		r.files(l, &problems)
		merged.over(l)
	}
	c.apply(r, merged, &problems)
	c.derive(&problems)
	c.check(s.Purpose, &problems)
	if len(problems) > 0 {
		return c, problems
	}
	return c, nil
}

// layers reads the sources, the weakest first.
func (s Sources) layers(r registry, c *Config, problems *Problems) []layer {
	var layers []layer
	if s.YAML != "" {
		if raw, ok := readSource(s.YAML, "--config", problems); ok {
			l := r.yamlLayer(s.YAML, raw, c, problems)
			r.strict(l, problems)
			layers = append(layers, l)
		}
	}
	if path := s.envFile(); path != "" {
		if raw, ok := readSource(path, "--env-file", problems); ok {
			l := envLayer(path, raw, problems)
			r.strict(l, problems)
			layers = append(layers, l)
		}
	}
	environ := s.Environ
	if environ == nil {
		environ = os.Environ()
	}
	flags := layer{}
	for name, text := range s.Flags {
		flags[name] = entry{text: text, origin: "flag"}
	}
	return append(layers, r.environment(environ, c), flags)
}

func (s Sources) envFile() string {
	if s.EnvFile != "" {
		return s.EnvFile
	}
	path := filepath.Join(s.Dir, defaultEnvFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return path
}

func readSource(path, flag string, problems *Problems) ([]byte, bool) {
	raw, err := os.ReadFile(path)
	if err == nil {
		return raw, true
	}
	problems.add(path, "", "cannot be read (%s); correct the path given to %s or the file's rights", reason(err), flag)
	return nil, false
}

func reason(err error) string {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err.Error()
	}
	return err.Error()
}

// notice remembers a remark for the log.
func (c *Config) notice(format string, args ...any) {
	c.Notices = append(c.Notices, fmt.Sprintf(format, args...))
}
