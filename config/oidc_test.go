package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openhands-saas/openhands-saas/config"
)

const aTeam = "0190a0c4-0000-7000-8000-00000000abcd"

// providers loads a YAML file with that content beside good settings.
func providers(t *testing.T, yaml string, environ ...string) (*config.Config, error) {
	t.Helper()
	return config.Load(config.Sources{YAML: write(t, "c.yaml", yaml), Environ: good(environ...), Dir: t.TempDir()})
}

func TestTheEnvironmentsIssuerComesBeforeThoseOfYAML(t *testing.T) {
	t.Parallel()
	secret := write(t, "secret", "hunter2hunter2\n")
	c, err := providers(t, `
oidc:
  - name: corp
    title: "The Corp"
    issuer: https://Login.example.com/realms/corp
    client_id: openhands
    client_secret_file: `+secret+`
    scopes: [email, groups]
    groups_claim: groups
    allowed_domains: Example.com, example.org
    roles:
      - {group: Staff, team: `+strings.ToUpper(aTeam)+`, role: Developer}
      - group: leads
        team: `+aTeam+`
        role: admin
  - {name: other, issuer: "http://localhost:9000", client_id: a, client_secret: b}
`, "OIDC_ISSUER=https://one.example.com/", "OIDC_CLIENT_ID=x", "OIDC_CLIENT_SECRET=y", "OIDC_SCOPES=openid email")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.OIDC) != 3 || c.OIDC[0].Name != "oidc" || c.OIDC[0].Issuer != "https://one.example.com/" || fmt.Sprint(c.OIDC[0].Scopes) != "[openid email]" {
		t.Fatalf("got %+v", c.OIDC)
	}
	corp := c.OIDC[1]
	if corp.ClientSecret.Reveal() != "hunter2hunter2" || corp.Issuer != "https://login.example.com/realms/corp" || corp.Title != "The Corp" ||
		fmt.Sprint(corp.AllowedDomains) != "[example.com example.org]" || fmt.Sprint(corp.Scopes) != "[email groups]" {
		t.Errorf("got %+v", corp)
	}
	if diff := cmp.Diff([]config.OIDCRole{{"Staff", aTeam, "developer"}, {"leads", aTeam, "admin"}}, corp.Roles); diff != "" {
		t.Error(diff)
	}
	shown := fmt.Sprint(c.Describe())
	if strings.Contains(shown, "hunter2") || !strings.Contains(shown, "OIDC[1].CLIENT_SECRET (set)") || !strings.Contains(shown, "OIDC[1].ROLES leads is admin of "+aTeam) {
		t.Errorf("described as %s", shown)
	}
}

func TestAllFaultsOfIssuersAreToldTogether(t *testing.T) {
	t.Parallel()
	_, err := providers(t, `
oidc:
  - name: GitHub
    issuer: http://login.example.com
    client_ids: x
    client_secret: 0123
    allowed_domains: "*.example.com"
    whatever: 1
  - name: corp
    issuer: https://login.example.com
    client_id: x
    client_secret: hunter2
    client_secret_file: /nonexistent
    roles: [{group: a, team: nowhere, role: boss}]
  - {name: corp, issuer: "https://login.example.org", client_id: a, client_secret: b, roles: [{groups: a}]}
  - corp
`)
	got := problemsOf(t, err)
	want := map[string]string{
		"OIDC[1].NAME": "such as corp", "OIDC[1].ISSUER": "write https", "OIDC[1].CLIENT_IDS": "did you mean client_id?", "OIDC[1].CLIENT_ID": "set it",
		"OIDC[1].CLIENT_SECRET": "in quotes", "OIDC[1].ALLOWED_DOMAINS": "without @ and *", "OIDC[1].WHATEVER": "unknown name; remove it; a section has",
		"OIDC[2].CLIENT_SECRET": "keep one of the two", "OIDC[2].GROUPS_CLAIM": "set it", "OIDC[2].ROLES": "one of: owner",
		"OIDC[3].NAME": "two issuers have this name", "OIDC[3].ROLES": "did you mean group?", "OIDC[4]": "write a section",
	}
	for name, text := range want {
		if !strings.Contains(got[name], text) {
			t.Errorf("%s: got %q, want %q", name, got[name], text)
		}
	}
	if len(got) != len(want) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestAnIssuerNeedsAllItsParts(t *testing.T) {
	t.Parallel()
	for environ, name := range map[string]string{
		"OIDC_ISSUER=https://a.example.com\nOIDC_CLIENT_ID=x":                            "OIDC_CLIENT_SECRET",
		"OIDC_CLIENT_ID=x\nOIDC_CLIENT_SECRET=y":                                         "OIDC_ISSUER",
		"OIDC_GROUPS_CLAIM=groups":                                                       "OIDC_ISSUER",
		"OIDC_ISSUER=https://a.example.com\nOIDC_CLIENT_SECRET=y":                        "OIDC_CLIENT_ID",
		"OIDC_ISSUER=http://a.example.com\nOIDC_CLIENT_SECRET=y\nOIDC_CLIENT_ID=x":       "OIDC_ISSUER",
		"OIDC_ISSUER=https://a.example.com\nOIDC_CLIENT_SECRET_FILE=/nonexistent":        "OIDC_CLIENT_SECRET_FILE",
		"OIDC_NAME=users\nOIDC_ISSUER=https://a\nOIDC_CLIENT_SECRET=y\nOIDC_CLIENT_ID=x": "OIDC_NAME",
	} {
		_, err := load(t, good(strings.Split(environ, "\n")...)...)
		if problemsOf(t, err)[name] == "" {
			t.Errorf("%q: %v", environ, err)
		}
	}
	if _, err := providers(t, "oidc: corp\n"); !strings.Contains(problemsOf(t, err)["OIDC"], "write a list of sections") {
		t.Error(err)
	}
	if c, err := providers(t, "oidc:\n"); err != nil || len(c.OIDC) != 0 {
		t.Error(err, c.OIDC)
	}
}

func TestAnIssuersSecretMayStandInAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("hunter2hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := load(t, good("OIDC_ISSUER=https://a.example.com", "OIDC_CLIENT_ID=x", "OIDC_CLIENT_SECRET_FILE="+path)...)
	if err != nil || c.OIDC[0].ClientSecret.Reveal() != "hunter2hunter2" || strings.Contains(fmt.Sprintf("%v %#v", c.OIDC, c.OIDC), "hunter2") {
		t.Errorf("%v", err)
	}
}
