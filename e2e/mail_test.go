package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/e2e/stack"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// mailed waits for the n-th mail with the subject to an address, and returns the path that its link leads to; empty without one.
func mailed(t *testing.T, inbox *stack.Inbox, to, subject string, n int) (path string) {
	t.Helper()
	within(t, 30*time.Second, "the mail "+subject+" comes to "+to, func() error {
		found := mailsTo(t, inbox, to, subject)
		if len(found) < n {
			return fmt.Errorf("%d came", len(found))
		}
		if u, err := url.Parse(found[n-1].Link()); err == nil {
			path = u.Path
		}
		return nil
	})
	return path
}

func mailsTo(t *testing.T, inbox *stack.Inbox, to, subject string) (found []stack.Mail) {
	t.Helper()
	all, err := inbox.Mails(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if m.Subject == subject {
			found = append(found, m)
		}
	}
	return found
}

const (
	verifyMail   = "Confirm your e-mail address"
	resetMail    = "Choose a new password"
	changedMail  = "Your e-mail address was changed"
	deviceMail   = "New sign-in to your account"
	passwordMail = "Your password was changed"
)

func newAddress() string { return "user-" + uuid.NewString()[:8] + "@example.com" }

// press posts the form of a page, as its button does.
func (c *client) press(path string, form url.Values) answer {
	c.t.Helper()
	return c.send("POST", path, strings.NewReader(form.Encode()), "application/x-www-form-urlencoded")
}

func (c *client) tryLogin(password string) answer {
	c.t.Helper()
	return c.press("/api/auth/jwt/login", url.Values{"username": {c.email}, "password": {password}})
}

func TestANewUserProvesTheirAddressByTheLinkInTheMail(t *testing.T) {
	t.Parallel()
	i := start(t, map[string]string{"REQUIRE_VERIFIED": "on", "RATE_LIMITS": "off"})
	c := newClient(t, i.url)
	c.email = newAddress()
	c.want(http.StatusCreated, c.post("/api/auth/register", map[string]any{"email": c.email, "password": password}))
	if a := c.want(http.StatusBadRequest, c.tryLogin(password)); !strings.Contains(a.body, "LOGIN_USER_NOT_VERIFIED") {
		t.Errorf("before: %s", a.body)
	}
	mailed(t, world.inbox, c.email, verifyMail, 1)
	c.want(http.StatusAccepted, c.post("/api/auth/request-verify-token", map[string]any{"email": c.email}))
	path := mailed(t, world.inbox, c.email, verifyMail, 2)
	for range 3 { // a mail scanner looks at what it finds
		c.want(http.StatusOK, c.get(path))
	}
	c.want(http.StatusBadRequest, c.tryLogin(password))
	c.want(http.StatusOK, c.press(path, nil))
	c.login()
	if me := c.want(http.StatusOK, c.get("/api/users/me")); !strings.Contains(me.body, `"is_verified":true`) {
		t.Errorf("afterwards: %s", me.body)
	}
}

func TestAForgottenPasswordIsReplacedByTheLinkInTheMail(t *testing.T) {
	t.Parallel()
	i := start(t, map[string]string{"RATE_LIMITS": "off"})
	c := signedUp(t, i.url)
	other := newClient(t, i.url)
	other.want(http.StatusAccepted, other.post("/api/auth/forgot-password", map[string]any{"email": c.email}))
	path := mailed(t, world.inbox, c.email, resetMail, 1)
	for range 3 {
		other.want(http.StatusOK, other.get(path))
	}
	c.want(http.StatusOK, c.get("/api/users/me"))
	const next = "another horse battery"
	other.want(http.StatusOK, other.press(path, url.Values{"password": {next}}))
	mailed(t, world.inbox, c.email, passwordMail, 1)
	within(t, 2*time.Second, "the old session ends", func() error {
		if a := c.get("/api/users/me"); a.status != http.StatusUnauthorized {
			return fmt.Errorf("status %d", a.status)
		}
		return nil
	})
	c.token = ""
	c.want(http.StatusBadRequest, c.tryLogin(password))
	c.want(http.StatusOK, c.tryLogin(next))
	if again := other.press(path, url.Values{"password": {"a third horse battery"}}); again.status == http.StatusOK {
		t.Error("the link works twice")
	}
}

func TestAChangedAddressIsTakenBackByTheLinkInTheOldMailbox(t *testing.T) {
	t.Parallel()
	i := start(t, map[string]string{"RATE_LIMITS": "off"})
	c := signedUp(t, i.url)
	before, after := c.email, newAddress()
	c.want(http.StatusOK, c.json("PATCH", "/api/users/me", map[string]any{"email": after}))
	path := mailed(t, world.inbox, before, changedMail, 1)
	if text := mailsTo(t, world.inbox, before, changedMail)[0].Text; !strings.Contains(text, before) || !strings.Contains(text, after) {
		t.Errorf("it says %s", text)
	}
	owner := newClient(t, i.url)
	for range 3 {
		owner.want(http.StatusOK, owner.get(path))
	}
	c.want(http.StatusOK, c.get("/api/users/me"))
	owner.want(http.StatusOK, owner.press(path, nil))
	within(t, 2*time.Second, "whoever changed it is out", func() error {
		if a := c.get("/api/users/me"); a.status != http.StatusUnauthorized {
			return fmt.Errorf("status %d", a.status)
		}
		return nil
	})
	if again := owner.press(path, nil); again.status != http.StatusGone {
		t.Errorf("a second time it is %d", again.status)
	}
	owner.email = before
	const next = "another horse battery"
	owner.want(http.StatusOK, owner.press(mailed(t, world.inbox, before, resetMail, 1), url.Values{"password": {next}}))
	owner.want(http.StatusOK, owner.tryLogin(next))
	if len(mailsTo(t, world.inbox, after, changedMail)) != 0 {
		t.Error("the new mailbox got the link, too")
	}
}

func TestASignInFromANewDeviceIsToldByMail(t *testing.T) {
	t.Parallel()
	i := start(t, map[string]string{"RATE_LIMITS": "off"})
	c := signedUp(t, i.url)
	from := func(device string) {
		t.Helper()
		form := url.Values{"username": {c.email}, "password": {password}}
		r, err := http.NewRequestWithContext(t.Context(), "POST", i.url+"/api/auth/jwt/login", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("User-Agent", device)
		a, err := do(r)
		if err != nil {
			t.Fatal(err)
		}
		c.want(http.StatusOK, a)
	}
	for range 2 {
		from("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0")
	}
	path := mailed(t, world.inbox, c.email, deviceMail, 1)
	from("curl/8.5.0")
	mailed(t, world.inbox, c.email, deviceMail, 2)
	found := mailsTo(t, world.inbox, c.email, deviceMail)
	if len(found) != 2 || path != "/account/sessions" || !strings.Contains(found[0].Text, "Firefox on Linux") || !strings.Contains(found[0].Text, "127.0.0.1") {
		t.Errorf("%d mails, to %s: %+v", len(found), path, found)
	}
}

// ownInbox is an SMTP server for one test, which may disturb it.
func ownInbox(t *testing.T, args ...string) *stack.Inbox {
	t.Helper()
	dir, err := os.MkdirTemp(world.dir, "mail-")
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := stack.StartInbox(t.Context(), stack.InboxOptions{Mailpit: world.mailpit, DataDir: dir, Args: args})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(inbox.Stop)
	return inbox
}

var idOfMail = regexp.MustCompile(`(?m)^[0-9a-f]{8}-[0-9a-f-]{27}`)

func TestAMailServerThatWasAwayDeliversOnceWhenItIsBack(t *testing.T) {
	t.Parallel()
	inbox := ownInbox(t)
	i := start(t, map[string]string{"RATE_LIMITS": "off", "SMTP_URL": inbox.SMTPURL()})
	c := signedUp(t, i.url)
	inbox.Down()
	c.want(http.StatusAccepted, c.post("/api/auth/forgot-password", map[string]any{"email": c.email}))
	var listed string
	within(t, 30*time.Second, "a failed attempt is listed", func() error {
		if listed = i.command(t, "mail", "list"); !strings.Contains(listed, "refused") {
			return fmt.Errorf("it lists %s", listed)
		}
		return nil
	})
	if !strings.Contains(listed, c.email) || !strings.Contains(listed, "tried again at") {
		t.Errorf("it lists %s", listed)
	}
	if err := inbox.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	i.command(t, "mail", "retry", idOfMail.FindString(listed))
	path := mailed(t, inbox, c.email, resetMail, 1)
	c.want(http.StatusOK, newClient(t, i.url).get(path))
	if listed := i.command(t, "mail", "list"); listed != "no mail waits\n" {
		t.Errorf("it lists %s", listed)
	}
	if n := len(mailsTo(t, inbox, c.email, resetMail)); n != 1 {
		t.Errorf("it came %d times", n)
	}
}

func TestAMailboxThatIsRefusedIsGivenUpWithTheReason(t *testing.T) {
	t.Parallel()
	inbox := ownInbox(t)
	i := start(t, map[string]string{"RATE_LIMITS": "off", "SMTP_URL": inbox.SMTPURL()})
	c := signedUp(t, i.url)
	if err := inbox.Refuse(t.Context(), 550); err != nil {
		t.Fatal(err)
	}
	c.want(http.StatusAccepted, c.post("/api/auth/forgot-password", map[string]any{"email": c.email}))
	within(t, 30*time.Second, "it is given up", func() error {
		if listed := i.command(t, "mail", "list"); !strings.Contains(listed, "given up: ") || !strings.Contains(listed, "550") {
			return fmt.Errorf("it lists %s", listed)
		}
		return nil
	})
	if log := i.Log(); strings.Contains(log, "/account/reset/") {
		t.Error("a link was logged")
	}
}

func TestWithoutAMailServerTheOperatorHandsOutTheLink(t *testing.T) {
	t.Parallel()
	i := start(t, map[string]string{"RATE_LIMITS": "off", "SMTP_URL": "", "MAIL_FROM": ""})
	if !strings.Contains(i.Log(), "mails wait in the outbox") {
		t.Error("the start does not say that mails reach nobody")
	}
	c := signedUp(t, i.url)
	c.want(http.StatusAccepted, c.post("/api/auth/forgot-password", map[string]any{"email": c.email}))
	var listed string
	within(t, 30*time.Second, "the mail is listed", func() error {
		if listed = i.command(t, "mail", "list"); !strings.Contains(listed, c.email) {
			return fmt.Errorf("it lists %s", listed)
		}
		return nil
	})
	if !strings.Contains(listed, "waits for SMTP_URL") || strings.Contains(listed, "/account/") {
		t.Errorf("it lists %s", listed)
	}
	shown := i.command(t, "mail", "show", idOfMail.FindString(listed))
	link := regexp.MustCompile(`/account/reset/\S+`).FindString(shown)
	if link == "" || !strings.Contains(shown, "To: "+c.email) {
		t.Fatalf("it shows %s", shown)
	}
	c.want(http.StatusOK, newClient(t, i.url).press(link, url.Values{"password": {"another horse battery"}}))
	if len(mailsTo(t, world.inbox, c.email, resetMail)) != 0 {
		t.Error("it was sent, too")
	}
}

func TestTwoReplicasSendEachMailOnceOverTheWire(t *testing.T) {
	t.Parallel()
	inbox := ownInbox(t)
	env := map[string]string{"DATABASE_URL": dbtest.URL(t), "RATE_LIMITS": "off", "SMTP_URL": inbox.SMTPURL()}
	first, second := start(t, env), start(t, env)
	users := make([]*client, 20)
	for n := range users {
		users[n] = signedUp(t, []*instance{first, second}[n%2].url)
		users[n].want(http.StatusAccepted, users[n].post("/api/auth/forgot-password", map[string]any{"email": users[n].email}))
	}
	for _, c := range users {
		mailed(t, inbox, c.email, resetMail, 1)
	}
	within(t, 20*time.Second, "the outbox is empty", func() error {
		if listed := first.command(t, "mail", "list"); listed != "no mail waits\n" {
			return fmt.Errorf("it lists %s", listed)
		}
		return nil
	})
	for _, c := range users {
		if n := len(mailsTo(t, inbox, c.email, resetMail)); n != 1 {
			t.Errorf("%s got %d mails", c.email, n)
		}
	}
}

func TestAMailServerWithoutATrustedCertificateGetsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificate, key := selfSigned(t, dir)
	for scheme, demand := range map[string]string{"smtp": "--smtp-require-starttls", "smtps": "--smtp-require-tls"} {
		inbox := ownInbox(t, "--smtp-tls-cert", certificate, "--smtp-tls-key", key, demand, "--smtp-auth-accept-any")
		to := newAddress()
		test := func(extra ...string) (string, error) {
			cmd := exec.CommandContext(t.Context(), world.binary, "mail", "test", "--to", to)
			cmd.Dir = t.TempDir()
			cmd.Env = append(osEnvironment(map[string]string{
				"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "MAIL_FROM": "OpenHands <openhands@example.com>",
				"SMTP_URL": scheme + "://openhands:hunter2-hunter2@" + inbox.SMTPAddress(),
			}), extra...)
			output, err := cmd.CombinedOutput()
			return string(output), err
		}
		said, err := test()
		if err == nil || !strings.Contains(said, "certificate") || strings.Contains(said, "hunter2") {
			t.Errorf("%s, an unknown certificate: %v %s", scheme, err, said)
		}
		if n := len(mailsTo(t, inbox, to, "A test of OpenHands' mails")); n != 0 {
			t.Errorf("%s: %d mails came over an untrusted connection", scheme, n)
		}
		if said, err = test("SSL_CERT_FILE=" + certificate); err != nil || !strings.Contains(said, "took the mail for "+to) {
			t.Errorf("%s, a known certificate: %v %s", scheme, err, said)
		}
		mailed(t, inbox, to, "A test of OpenHands' mails", 1)
	}
}

// selfSigned writes a certificate for this machine that nobody trusts by itself, and its key.
func selfSigned(t *testing.T, dir string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail of the tests"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	made, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: made}, key: {Type: "PRIVATE KEY", Bytes: encoded}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}
