package config_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openhands-saas/openhands-saas/config"
)

func TestUnknownKeysInFilesAreErrorsWithAHint(t *testing.T) {
	t.Parallel()
	yaml := write(t, "c.yaml", "db_hots: db\ndatabase:\n  host: x\nlog.level: debug\n")
	env := write(t, "e", "UPSTREAM_APIKEY=x\nWHATEVER=1\n")
	_, err := config.Load(config.Sources{YAML: yaml, EnvFile: env, Environ: good()})
	got := problemsOf(t, err)
	want := map[string]string{
		"DB_HOTS": "unknown name; did you mean DB_HOST?", "DATABASE": "has a section below it; names are flat, as in the environment (db_host: …)",
		"LOG.LEVEL":       "unknown name; remove it; openhands-saas config lists the names",
		"UPSTREAM_APIKEY": "unknown name; did you mean UPSTREAM_API_KEY?", "WHATEVER": "unknown name; remove it; openhands-saas config lists the names",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestYAMLThatWouldChangeAValueIsRefused(t *testing.T) {
	t.Parallel()
	for content, name := range map[string]string{
		"db_password: 0123": "DB_PASSWORD", "db_database: 2026-01-01": "DB_DATABASE", "port: 3001.5": "PORT", "trusted_proxies: [1]": "TRUSTED_PROXIES",
	} {
		_, err := config.Load(config.Sources{YAML: write(t, "c.yaml", content), Environ: good(), Dir: t.TempDir()})
		if got := problemsOf(t, err)[name]; !strings.Contains(got, "in quotes") {
			t.Errorf("%s: %q", content, got)
		}
	}
	_, err := config.Load(config.Sources{YAML: write(t, "c.yaml", "host: [a, b]"), Environ: good(), Dir: t.TempDir()})
	if got := problemsOf(t, err)["HOST"]; got != "takes one value, not a list" {
		t.Errorf("a list for one value: %q", got)
	}
}

func TestYAMLListsAndCommaTextsMeanTheSame(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"trusted_proxies: [10.0.0.0/8, '::1']", "trusted_proxies: 10.0.0.0/8, ::1"} {
		c, err := config.Load(config.Sources{YAML: write(t, "c.yaml", content), Environ: good(), Dir: t.TempDir()})
		if err != nil || fmt.Sprint(c.TrustedProxies) != "[10.0.0.0/8 ::1/128]" {
			t.Errorf("%s: %v %v", content, err, c.TrustedProxies)
		}
	}
}

func TestAFileThatDoesNotParseIsReportedWithoutItsContent(t *testing.T) {
	t.Parallel()
	for _, s := range []config.Sources{
		{YAML: write(t, "c.yaml", "hunter2hunter2")}, {YAML: write(t, "c.yaml", "a: 'hunter2\n\tb: {")},
		{EnvFile: write(t, "e", "hunter2 is my password")}, {EnvFile: write(t, "e", "PORT='hunter2")}, {EnvFile: write(t, "e", "PORT=1\nPORT=hunter2")},
		{YAML: filepath.Join(t.TempDir(), "missing.yaml")}, {EnvFile: t.TempDir()},
	} {
		s.Environ, s.Dir = good(), t.TempDir()
		_, err := config.Load(s)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
