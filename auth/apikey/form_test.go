package apikey_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// The checksum of this one was worked out by another program: CRC-32 of the first 33 characters, in base 62 with digits first, then
// small letters, then capitals.
const known = "oh_0123456789abcdefghijABCDEFGHIJ4szFJb"

func TestAKeyIsKnownByItsForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.user("ann@example.com")
	form := regexp.MustCompile(`^oh_[0-9A-Za-z]{36}$`)
	seen := map[string]bool{}
	for range 50 {
		made := w.key(u, apikey.Draft{})
		if !form.MatchString(made.Secret) || !apikey.Plausible(made.Secret) || seen[made.Secret] {
			t.Fatalf("%q is no new key", made.Secret)
		}
		if made.Prefix != made.Secret[:10] {
			t.Errorf("the prefix of %s is %s", made.Secret, made.Prefix)
		}
		seen[made.Secret] = true
	}
	if !apikey.Plausible(known) {
		t.Errorf("%s is a key", known)
	}
	for name, token := range map[string]string{
		"nothing":         "",
		"the mark":        "oh_",
		"another mark":    "ah_" + known[3:],
		"capitals":        "OH_" + known[3:],
		"one letter off":  known[:10] + "x" + known[11:],
		"wrong checksum":  known[:len(known)-1] + "0",
		"one too short":   known[:len(known)-1],
		"one too long":    known + "0",
		"a sign":          known[:10] + "-" + known[11:],
		"a quote":         known[:10] + "'" + known[11:],
		"a NUL":           known[:10] + "\x00" + known[11:],
		"other letters":   "oh_" + strings.Repeat("é", 18),
		"a blank behind":  known[:len(known)-1] + " ",
		"very much of it": strings.Repeat(known, 1000),
	} {
		if apikey.Plausible(token) {
			t.Errorf("%s is taken for a key", name)
		}
	}
}

func TestWhatIsNoKeyCostsNoQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, token := range []string{"oh_' OR 1=1 --", known[:len(known)-1], "", strings.Repeat("a", 1<<20)} {
		err := dbtest.WithoutQueries(t, w.db, func() {}, func(ctx context.Context) error {
			if _, err := w.Find(ctx, token); !errors.Is(err, sql.ErrNoRows) {
				return fmt.Errorf("%.20q: %w", token, err)
			}
			_, err := w.auth.Authenticate(ctx, access.Credential{Form: access.FormKey, Token: token})
			if problem.Of(err).Status != http.StatusUnauthorized {
				return fmt.Errorf("%.20q: %w", token, err)
			}
			return nil
		})
		w.must(err)
	}
}

func FuzzKeys(f *testing.F) {
	for _, seed := range []string{known, "", "oh_", known[:38], strings.ToUpper(known), "oh_" + strings.Repeat("\x00", 36), "sk-123"} {
		f.Add(seed)
	}
	form := regexp.MustCompile(`^oh_[0-9A-Za-z]{36}$`)
	f.Fuzz(func(t *testing.T, token string) {
		if !apikey.Plausible(token) {
			return
		}
		if !form.MatchString(token) {
			t.Fatalf("%q is taken for a key", token)
		}
		for i := range token { // the checksum notices any one letter
			other := byte('0')
			if token[i] == '0' {
				other = '1'
			}
			if changed := token[:i] + string(other) + token[i+1:]; apikey.Plausible(changed) {
				t.Fatalf("%q and %q are both keys", token, changed)
			}
		}
	})
}
