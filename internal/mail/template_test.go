package mail_test

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openhands-saas/openhands-saas/internal/mail"
)

var update = flag.Bool("update", false, "write the mails to testdata instead of comparing them")

const site = "https://agents.example.com"

// samples has a mail for every template.
func samples() map[string]map[string]string {
	const at = "Mon, 30 Nov 2026 10:00:00 UTC"
	link := func(path string) string { return site + "/account/" + path }
	return map[string]map[string]string{
		"verify":                {"link": link("verify/TOKEN")},
		"reset":                 {"link": link("reset/TOKEN")},
		"email-changed-for-you": {"old": "ada@example.com", "new": "countess@example.com"},
		"email-changed":         {"old": "ada@example.com", "new": "countess@example.com", "link": link("revert/TOKEN")},
		"new-device":            {"device": "Firefox on Linux", "ip": "192.0.2.7", "time": at, "link": link("sessions")},
		"password-changed":      {"time": at},
		"factor-changed":        {"what": "an authenticator app was added", "time": at},
		"test":                  {"time": at},
	}
}

func TestMailsLookAsAgreed(t *testing.T) {
	t.Parallel()
	for name, data := range samples() {
		c, err := mail.Render(mail.Message{To: "ada@example.com", Template: name, Data: data}, site)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		compare(t, name+".golden.txt", "Subject: "+c.Subject+"\n\n"+c.Text)
		compare(t, name+".golden.html", c.HTML)
	}
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); -update writes it:\n%s", name, diff)
	}
}

func TestEveryTemplateHasBothFormsASampleAndNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(os.DirFS("templates"), "*")
	if err != nil {
		t.Fatal(err)
	}
	forms := map[string]int{}
	for _, name := range names {
		forms[strings.TrimSuffix(name, filepath.Ext(name))]++
		raw, err := os.ReadFile("templates/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"<img", "src=", "url(", "<script", "<link", "@import"} {
			if strings.Contains(string(raw), word) {
				t.Errorf("%s holds %q: a mail loads nothing", name, word)
			}
		}
	}
	delete(forms, "layout")
	for name, count := range forms {
		if _, sampled := samples()[name]; count != 2 || !sampled {
			t.Errorf("template %s has %d forms, sample: %v", name, count, sampled)
		}
	}
	if len(forms) != len(samples()) {
		t.Errorf("%d templates for %d samples", len(forms), len(samples()))
	}
}

func TestAMailThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	good := "https://agents.example.com/account/verify/T"
	for about, m := range map[string]mail.Message{
		"an unknown template":     {To: "ada@example.com", Template: "verfy", Data: map[string]string{"link": good}},
		"a template that climbs":  {To: "ada@example.com", Template: "../mail", Data: map[string]string{"link": good}},
		"the layout":              {To: "ada@example.com", Template: "layout"},
		"missing data":            {To: "ada@example.com", Template: "verify"},
		"other missing data":      {To: "ada@example.com", Template: "new-device", Data: map[string]string{"device": "x", "ip": "x", "link": good}},
		"a link without a host":   {To: "ada@example.com", Template: "verify", Data: map[string]string{"link": "/account/verify/T"}},
		"a script for a link":     {To: "ada@example.com", Template: "verify", Data: map[string]string{"link": "javascript:alert(1)"}},
		"a link of two lines":     {To: "ada@example.com", Template: "verify", Data: map[string]string{"link": good + "\r\nBcc: eve@example.com"}},
		"a link that closes":      {To: "ada@example.com", Template: "verify", Data: map[string]string{"link": good + `"><b>`}},
		"a link with a user":      {To: "ada@example.com", Template: "verify", Data: map[string]string{"link": "https://agents.example.com@evil.example/"}},
		"a link without an end":   {To: "ada@example.com", Template: "verify", Data: map[string]string{"link": good + strings.Repeat("x", 3000)}},
		"a recipient that is two": {To: "ada@example.com, eve@example.com", Template: "test", Data: map[string]string{"time": "now"}},
	} {
		if c, err := mail.Render(m, site); err == nil {
			t.Errorf("%s was written:\n%s", about, c.Text)
		}
	}
}

func TestWhatPeopleTypedStaysOneHarmlessLine(t *testing.T) {
	t.Parallel()
	for about, device := range map[string]string{
		"markup":       `<script>alert(1)</script><a href="https://evil.example">here</a>`,
		"line ends":    "Firefox\r\nBcc: eve@example.com\r\n\r\n.\r\nMAIL FROM:<eve@example.com>",
		"other ends":   "Firefox\u2028Bcc: eve@example.com\u2029\u0085\v\f\x00\x1b[2J",
		"bidi":         "\u202eevil\u202c\u2066x\u2069\u200b",
		"no UTF-8":     "Fire\xff\xfefox",
		"a template":   "{{.link}}{{template \"button\" .}}",
		"an own quote": "--\r\nThis mail was sent to somebody else",
	} {
		c, err := mail.Render(mail.Message{To: "ada@example.com", Template: "new-device", Data: map[string]string{
			"device": device, "ip": "192.0.2.7", "time": "now", "link": site + "/account/sessions",
		}}, site)
		if err != nil {
			t.Errorf("%s: %v", about, err)
			continue
		}
		for _, bad := range []string{"<script", `href="https://evil`, "\r", "\u2028", "\u2029", "\x00", "\x1b", "\u202e", "\u200b", "\xff"} {
			if strings.Contains(c.HTML, bad) || bad != "<script" && !strings.HasPrefix(bad, "href") && strings.Contains(c.Text, bad) {
				t.Errorf("%s: the mail holds %q:\n%s\n%s", about, bad, c.Text, c.HTML)
			}
		}
		if lines := strings.Count(c.Text, "\n"); lines != 18 {
			t.Errorf("%s: the text has %d lines:\n%s", about, lines, c.Text)
		}
	}
	c, err := mail.Render(mail.Message{To: "ada@example.com", Template: "factor-changed", Data: map[string]string{"what": strings.Repeat("é", 5000), "time": "now"}}, site)
	if err != nil || strings.Count(c.Text, "é") != 319 || !strings.Contains(c.Text, "é…") {
		t.Errorf("a long value is not cut: %v, %d", err, strings.Count(c.Text, "é"))
	}
}

func TestARecipientIsExactlyOneAddress(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"ada@example.com", "a.b+c@sub.example.co.uk", "o'hara@example.com", "é@example.com", "ada@bücher.example", "用户@例子.公司",
		"{x}`|~^!#$%&'*+-/=?@example.com",
	} {
		if err := mail.CheckAddress(address); err != nil {
			t.Errorf("%q: %v", address, err)
		}
	}
	for _, address := range []string{
		"", "ada", "@example.com", "ada@", "ada@example.com,eve@example.com", "ada@example.com, eve@example.com", "ada@example.com;eve@example.com",
		"Ada <ada@example.com>", "<ada@example.com>", "ada@example.com (Ada)", "ada@example.com\r\nBcc: eve@example.com", "ada@example.com\n", "\rada@example.com",
		"ada@example.com\x00", "ada@exam\u200bple.com", "\u202eada@example.com", "ada@eve@example.com", `"ada@eve"@example.com`, `"a b"@example.com`, " ada@example.com", "ada@example.com ",
		"a da@example.com", "group: ada@example.com;", "ada@example.com>", "ada@example.com> SIZE=1", "ad\xffa@example.com", strings.Repeat("a", 400) + "@example.com",
	} {
		if err := mail.CheckAddress(address); err == nil {
			t.Errorf("%q is taken", address)
		}
	}
}
