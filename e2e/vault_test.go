package e2e_test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheVault has people keep keys, secrets and profiles, use them, and try for those of others. Afterwards nothing of what was
// kept stands anywhere in clear: not in the database, not in a log, not in what the upstream keeps, and in no answer but to whose
// it is and who asked for it.
func TestTheVault(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	before := b.upstreamSettings(t)
	t.Run("while people work", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *bank){
			"each conversation of three people in a browser runs with its owner's key and secrets": peopleInBrowsers,
			"a team's key works for its Developers and goes to no other address":                   teamsKeyStays,
			"a token works for whom it was made and as long as the secret is the same":             tokens,
			"secrets in clear are for whose they are, and each time is on record":                  reveals,
			"a reference to a saved secret becomes its value, and no other is followed":            lookups,
			"an agent profile and a switch of profiles reach the upstream":                         profiles,
			"a secret of the team's goes to a Developer's conversation by its token":               teamsSecretByToken,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, b)
			})
		}
	})
	b.answersWithoutTheUpstream(t)
	b.keptSecret(t)
	if after := b.upstreamSettings(t); !maps.Equal(before, after) {
		t.Errorf("the upstream's own settings were %v and are %v", before, after)
	}
}

// answersWithoutTheUpstream shows that the page's probe of health does not need the upstream, whoever asks.
func (b *bank) answersWithoutTheUpstream(t *testing.T) {
	h := b.newHouse(t, "Night watch")
	b.way.Down()
	defer b.way.Up()
	for name, c := range map[string]*client{"an Owner": h.ada, "a Developer": h.ben, "a Viewer": h.vic, "somebody in no team of theirs": b.cleo.as(t, "")} {
		for _, form := range []string{"", "encrypted"} {
			if a := c.reading(form, "/api/settings"); a.status != http.StatusOK || !strings.Contains(a.body, `"agent_settings"`) {
				t.Errorf("%s, %q, while the upstream is away: %d %.300s", name, form, a.status, a.body)
			}
		}
	}
	if a := b.cleo.as(t, "").get("/api/llm/models"); a.status < 500 {
		t.Errorf("the upstream was not away: %d", a.status)
	}
}

// keptSecret looks for the planted secrets wherever they could have been written to or delivered.
func (b *bank) keptSecret(t *testing.T) {
	for value := range b.secrets() {
		for _, form := range []string{value, hex.EncodeToString([]byte(value)), base64.StdEncoding.EncodeToString([]byte(value))} {
			if len(b.holds("x"+form+"x")) != 1 {
				t.Fatalf("%s would not be found", form)
			}
		}
	}
	dump := databaseDump(t, b.server.database)
	if !strings.Contains(dump, b.ada.email) || !strings.Contains(dump, "vault_documents") {
		t.Error("the dump lacks what the database has in clear, so that it proves nothing")
	}
	for where, text := range map[string]string{"the database": dump, "the log": b.server.Log(), "the upstream's log": b.upstream.Log()} {
		if found := b.holds(text); len(found) > 0 || len(text) < 100 {
			t.Errorf("%s (%d bytes) holds %v", where, len(text), found)
		}
	}
	b.keptByUpstream(t)
	b.delivered(t)
}

// holds lists the secrets that a text holds, as they are or plainly encoded.
func (b *bank) holds(text string) (found []string) {
	if !strings.Contains(text, "planted") && !strings.Contains(text, hex.EncodeToString([]byte("planted"))) && !strings.Contains(text, "cGxhbnRlZ") {
		return nil // no secret begins here
	}
	for value := range b.secrets() {
		encoded := base64.StdEncoding.EncodeToString([]byte(value))[:24]
		if strings.Contains(text, value) || strings.Contains(text, hex.EncodeToString([]byte(value))) || strings.Contains(text, encoded) {
			found = append(found, value)
		}
	}
	return found
}

// sealedValue is a value that the upstream sealed. Public texts speak of how such values begin.
var sealedValue = regexp.MustCompile(`gAAAA[A-Za-z0-9_-]{60,}`)

// delivered judges each answer to each person: one's own secrets, and only where one asked for them in clear.
func (b *bank) delivered(t *testing.T) {
	secrets := b.secrets()
	for _, p := range []*person{b.ada, b.ben, b.vic, b.cleo} {
		for _, e := range p.wire.all() {
			text := e.text()
			for _, value := range b.holds(text) {
				if secrets[value] != p.name || !e.reveals() {
					t.Errorf("%s was sent a secret of %s's by %s", p.name, secrets[value], e)
				}
			}
			if sealedValue.MatchString(text) {
				t.Errorf("%s was sent a value that the upstream sealed by %s", p.name, e)
			}
		}
	}
}

// databaseDump is all that the database holds, as text.
func databaseDump(t *testing.T, address string) string {
	t.Helper()
	db, err := sql.Open("postgres", address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var all strings.Builder
	for _, table := range column(t, db, `SELECT quote_ident(table_name) FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`) {
		for _, row := range column(t, db, `SELECT t::text FROM `+table+` t`) {
			fmt.Fprintln(&all, table, row)
		}
	}
	return all.String()
}

// column reads one column of texts.
func column(t *testing.T, db *sql.DB, query string, args ...any) (texts []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return texts
}

// upstreamRoot is the folder in which the upstream keeps everything.
func (b *bank) upstreamRoot() string { return filepath.Dir(b.upstream.KeyFile()) }

// upstreamSettings are the sums of the files in which the upstream keeps settings, secrets and profiles. Files that only lock, and
// what it caches of public catalogues, say nothing.
func (b *bank) upstreamSettings(t *testing.T) map[string]string {
	t.Helper()
	sums := map[string]string{}
	root := filepath.Join(b.upstreamRoot(), "persistence")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		if err != nil || entry.IsDir() || strings.HasSuffix(name, ".lock") || strings.HasPrefix(name, "cache") {
			return err
		}
		text, err := os.ReadFile(path)
		sums[name] = fmt.Sprintf("%x", sha256.Sum256(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

// keptByUpstream looks through the upstream's folder. It does keep what a conversation runs with, the model's key and the secrets,
// in the conversation's own folder: sealed with its own key.
func (b *bank) keptByUpstream(t *testing.T) {
	sealed := map[string]bool{}
	_ = filepath.WalkDir(b.upstreamRoot(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() { // conversations of others come and go meanwhile
			return nil
		}
		text, _ := os.ReadFile(path)
		if found := b.holds(string(text)); len(found) > 0 {
			t.Errorf("the upstream's file %s holds %v", strings.TrimPrefix(path, b.upstreamRoot()), found)
		}
		if sealedValue.Match(text) {
			sealed[filepath.Base(path)] = true
		}
		return nil
	})
	if !sealed["base_state.json"] {
		t.Errorf("the upstream keeps sealed values in %v only: it is not where it was looked", sealed)
	}
}
