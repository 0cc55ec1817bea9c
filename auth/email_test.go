package auth_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/mail"
)

func TestAddressesAreStoredAsTheContractSays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a@example.com":                              "a@example.com",
		"  A.b+Tag@Example.COM\t":                    "A.b+Tag@example.com",
		"!#$%&'*+-/=?^_`{|}~@example.com":            "!#$%&'*+-/=?^_`{|}~@example.com",
		"ü@example.com":                              "ü@example.com",
		"u\u0308@example.com":                        "ü@example.com",
		"用户@例え.jp":                                   "用户@例え.jp",
		"a@BÜCHER.de":                                "a@bücher.de",
		"a@XN--BCHER-KVA.de":                         "a@bücher.de",
		"a@faß.de":                                   "a@faß.de",
		"a@例え。jp":                                    "a@例え.jp",
		"a@paral·lel.cat":                            "a@paral·lel.cat",
		"a@" + strings.Repeat("x", 63) + ".com":      "a@" + strings.Repeat("x", 63) + ".com",
		strings.Repeat("x", 65) + "@example.com":     strings.Repeat("x", 65) + "@example.com",
		strings.Repeat("x", 254-12) + "@example.com": strings.Repeat("x", 254-12) + "@example.com",
	} {
		got, err := auth.ParseEmail(text)
		if err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "a", "@", "a@", "@example.com", "a@example", "a@@example.com", "a@b@example.com",
		`"a b"@example.com`, `"a"@example.com`, "Name <a@example.com>", "a(c)@example.com",
		".a@example.com", "a.@example.com", "a..b@example.com", "a b@example.com", "a\u00a0b@example.com",
		"a\x00@example.com", "a\tb@example.com", "a\u202eb@example.com", "\u0308a@example.com", "a\ue000@example.com", "a\xff@example.com",
		"a@example.com\n", "a@exa mple.com", "a@exam\x00ple.com", "a@ex\u202eample.com",
		"a@[127.0.0.1]", "a@127.0.0.1", "a@example.123", "a@exa_mple.com", "a@-example.com", "a@example-.com", "a@example.com.", "a@.example.com",
		"a@example..com", "a@ab--cd.com", "a@xn--bcher.de", "a@xn--.com", "a@😀.com", "a@1אב.com",
		"a@localhost", "a@x.localhost", "a@x.test", "a@x.TEST", "a@x.local", "a@x.invalid", "a@x.onion", "a@x.arpa",
		"a@" + strings.Repeat("x", 64) + ".com",
		strings.Repeat("x", 255-12) + "@example.com",
		"a@" + strings.Repeat("x.", 100_000) + "com",
	} {
		if got, err := auth.ParseEmail(text); err == nil {
			t.Errorf("%.60q was accepted as %.60q", text, got)
		}
	}
}

func FuzzAddressesComeOutAsTheyGoIn(f *testing.F) {
	for _, seed := range []string{
		"a@example.com", "ü@BÜCHER.de", "a@xn--bcher-kva.de", "a@例え。jp", "\u0308@x.y", "=?utf-8?q?a?=@example.com", "a@example.com\r\nBcc: b@example.com",
		"Ann <a@example.com>", "a@example.com,b@example.com", "\u212a@example.com", "İ@example.com", "a\u202e@example.com", "p\u0430ypal@example.com",
		strings.Repeat("x", 320) + "@example.com", "a@" + strings.Repeat("x.", 160) + "com", "!#$%&'*+-/=?^_`{|}~@example.com", "ﬁ@example.com",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		email, err := auth.ParseEmail(text)
		if err != nil {
			return
		}
		if again, err := auth.ParseEmail(email); err != nil || again != email {
			t.Errorf("%q became %q, and that %q, %v", text, email, again, err)
		}
		if !utf8.ValidString(email) || strings.ContainsFunc(email, unicode.IsControl) || strings.Count(email, "@") != 1 || len(email) > 254 {
			t.Errorf("%q became %q", text, email)
		}
		if err := mail.CheckAddress(email); err != nil {
			t.Errorf("%q is stored, and no mail can go there: %v", email, err)
		}
	})
}
