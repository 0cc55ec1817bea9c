package files_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openhands-saas/openhands-saas/internal/fernet"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/files"
)

// The folders in testdata were written by a real agent-server 1.49.1, as testdata/README says: one with this OH_SECRET_KEY, which
// is used for tests only, and one without any.
const secretKey = "key-of-the-tests-only"

func read(t *testing.T, folder string, o files.Options) *files.Found {
	t.Helper()
	found, err := files.Read([]string{folder}, o)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// secrets are the values that were sealed, by place.
func secrets(found *files.Found) map[string]any {
	all := map[string]any{}
	for _, item := range found.Items {
		for _, pointer := range item.Opened {
			var v any = item.Body
			for step := range strings.SplitSeq(pointer[1:], "/") {
				v = v.(map[string]any)[step]
			}
			all[string(item.Kind)+" "+item.Name+pointer] = v
		}
	}
	return all
}

func TestWhatTheUpstreamSealedIsRead(t *testing.T) {
	t.Parallel()
	found := read(t, "testdata/encrypted", files.Options{Key: fernet.Derive(secretKey)})
	want := map[string]any{
		"settings /agent_settings/llm/api_key":                       "sk-test-profile-1",
		"settings /agent_settings/mcp_config/docs/headers/X-Api-Key": "header-value-1",
		"settings /agent_settings/mcp_config/tickets/auth/value":     "bearer-value-1",
		"llm_profile default/api_key":                                "sk-test-settings-1",
		"llm_profile fast/api_key":                                   "sk-test-profile-1",
		"connection ca07098b57114ed8a575007479f87865/api_key":        "sk-test-connection-1",
		"secret GITHUB_TOKEN/secret":                                 "ghp-test-value-1",
		"secret DEPLOY_KEY/secret":                                   "deploy-value-1",
	}
	if diff := cmp.Diff(want, secrets(found)); diff != "" {
		t.Error(diff)
	}
	var names []string
	for _, item := range found.Items {
		names = append(names, item.Place.String())
	}
	wanted := []string{
		"provider-connections/provider_connections.json:connections/0", "profiles/default.json", "profiles/fast.json", "profiles/linked.json",
		"secrets.json:custom_secrets/DEPLOY_KEY", "secrets.json:custom_secrets/GITHUB_TOKEN",
		"agent-profiles/default.json", "agent-profiles/reviewer.json", "workspaces.json", "settings.json",
	}
	if diff := cmp.Diff(wanted, names); diff != "" {
		t.Error(diff)
	}
}

func TestWhatTheUpstreamWroteInClearIsTheSame(t *testing.T) {
	t.Parallel()
	closed := read(t, "testdata/encrypted", files.Options{Key: fernet.Derive(secretKey)})
	open := read(t, "testdata/plain", files.Options{})
	ours := func(found *files.Found) map[string]any {
		all := map[string]any{}
		for _, item := range found.Items {
			if item.Kind == files.Secret || item.Kind == files.Profile && item.Name == "fast" {
				all[item.Name] = item.Body
			}
		}
		return all
	}
	if diff := cmp.Diff(ours(closed), ours(open)); diff != "" || len(secrets(open)) != 0 {
		t.Error(diff, secrets(open))
	}
}

func TestWithoutTheRightKeyEveryValueIsAFaultAndNoneIsShown(t *testing.T) {
	t.Parallel()
	for want, key := range map[string]*fernet.Key{"this is sealed": nil, "does not open with the key": fernet.Derive("another")} {
		_, err := files.Read([]string{"testdata/encrypted"}, files.Options{Key: key})
		faults, is := errors.AsType[files.Faults](err)
		if !is || len(faults) != 8 {
			t.Fatalf("%d faults: %v", len(faults), err)
		}
		for _, fault := range faults {
			if !strings.Contains(fault.Text, want) || strings.Contains(fault.Text, "gAAAA") {
				t.Errorf("%s: %s", fault.Place, fault.Text)
			}
		}
		if !slices.ContainsFunc(faults, func(n files.Note) bool {
			return n.Place.String() == "settings.json:agent_settings/mcp_config/docs/headers/X-Api-Key"
		}) {
			t.Error(err)
		}
	}
}

// folder is one with these files.
func folder(t *testing.T, contents map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range contents {
		file := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestWhatIsBrokenIsNamedWithItsPlace(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile("testdata/encrypted/secrets.json")
	if err != nil {
		t.Fatal(err)
	}
	cut := strings.Replace(string(whole), `ACcKigq5aAEa8soRi3A=`, "", 1)
	for _, c := range []struct{ name, file, text, place, want string }{
		{"a token that was cut", "secrets.json", cut, "secrets.json:custom_secrets/GITHUB_TOKEN/secret", "not whole"},
		{"a file that was cut", "secrets.json", string(whole[:200]), "secrets.json", "no JSON from byte"},
		{"two documents", "secrets.json", `{}{}`, "secrets.json", "no JSON from byte"},
		{"a list", "settings.json", `[]`, "settings.json", "not an object"},
		{"nothing", "settings.json", ``, "settings.json", "no JSON"},
		{"not UTF-8", "secrets.json", "{\"custom_secrets\":{\"A\":\"\xff\"}}", "secrets.json", "no JSON"},
		{"a newer version", "settings.json", `{"schema_version":4}`, "settings.json:schema_version", "newer than 1.49"},
		{"older agent settings", "settings.json", `{"schema_version":2,"agent_settings":{"schema_version":5}}`,
			"settings.json:agent_settings/schema_version", "let an agent-server 1.49 write the file anew"},
		{"a version that is none", "workspaces.json", `{"schema_version":"x"}`, "workspaces.json:schema_version", "no version"},
		{"settings of another type", "settings.json", `{"agent_settings":[]}`, "settings.json:agent_settings", "object"},
		{"a secret of another type", "secrets.json", `{"custom_secrets":{"A":{"secret":1}}}`, "secrets.json:custom_secrets/A", "text"},
		{"a connection without an id", "provider-connections/provider_connections.json", `{"connections":[{}]}`,
			"provider-connections/provider_connections.json:connections/0", "id"},
	} {
		_, err := files.Read([]string{folder(t, map[string]string{c.file: c.text})}, files.Options{Key: fernet.Derive(secretKey)})
		faults, _ := errors.AsType[files.Faults](err)
		if len(faults) != 1 || faults[0].Place.String() != c.place || !strings.Contains(faults[0].Text, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestWhatHoldsNoValueIsSkippedAndNamed(t *testing.T) {
	t.Parallel()
	found := read(t, folder(t, map[string]string{
		"secrets.json":        `{"custom_secrets":{"A":"a","B":{"secret":null},"C":{"secret":"**********"},"D":" "},"_credential_versions":{"A":"x"}}`,
		"profiles/there.json": `{"model":"m","api_key":"**********"}`,
		"profiles/readme.txt": `no`,
	}), files.Options{})
	var skipped []string
	for _, note := range found.Skipped {
		skipped = append(skipped, note.Place.String())
	}
	want := []string{"profiles/there.json:api_key", "secrets.json:custom_secrets/B", "secrets.json:custom_secrets/C", "secrets.json:custom_secrets/D"}
	if diff := cmp.Diff(want, skipped); diff != "" || len(found.Items) != 2 {
		t.Error(diff, found.Items)
	}
}

func TestWhatIsLeftOutNeedNotOpen(t *testing.T) {
	t.Parallel()
	skip := []string{"settings.json", "profiles", "provider-connections/provider_connections.json:connections/0",
		"secrets.json:custom_secrets/DEPLOY_KEY", "secrets.json:custom_secrets/GITHUB_TOKEN"}
	found := read(t, "testdata/encrypted", files.Options{Skip: skip})
	if len(found.Items) != 3 || len(found.Skipped) != 7 {
		t.Errorf("%d items, %d skipped", len(found.Items), len(found.Skipped))
	}
	for _, wrong := range []string{"secrets.json:custom_secrets/OTHER", "profile", "settings.json:"} {
		if _, err := files.Read([]string{"testdata/plain"}, files.Options{Skip: []string{wrong}}); err == nil || !strings.Contains(err.Error(), "nothing of this name") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

func TestAFolderWithoutAnythingOrTwoWithTheSameAreRefused(t *testing.T) {
	t.Parallel()
	for want, folders := range map[string][]string{
		"nothing of OpenHands":      {t.TempDir()},
		"no such file or directory": {filepath.Join(t.TempDir(), "missing")},
		"is no folder":              {"files_test.go"},
		"this is in":                {"testdata/plain", "testdata/plain"},
	} {
		if _, err := files.Read(folders, files.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", folders, err)
		}
	}
}
