package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// tryFrom signs in through a proxy that says where the client is.
func (c *client) tryFrom(address, password string) answer {
	c.t.Helper()
	form := url.Values{"username": {c.email}, "password": {password}}.Encode()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.base+"/api/auth/jwt/login", strings.NewReader(form))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Forwarded-For", address)
	a, err := do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func TestReplicasCountGuessesTogetherAndBansAreSilent(t *testing.T) {
	t.Parallel()
	env := map[string]string{"DATABASE_URL": dbtest.URL(t), "RATE_LIMITS": "on", "TRUSTED_PROXIES": "127.0.0.0/8"}
	replicas := []*instance{start(t, env), start(t, env)}
	first, second := signedUp(t, replicas[0].url), newClient(t, replicas[1].url)
	second.email = strings.ToUpper(first.email)
	const home, elsewhere = "203.0.113.7", "198.51.100.7"
	first.want(http.StatusOK, first.tryFrom(home, password))
	for n := range 8 {
		c := []*client{first, second}[n%2]
		if a := c.tryFrom(elsewhere, "wrong"); n < 4 && a.status != http.StatusBadRequest {
			t.Fatalf("guess %d: %d %s", n, a.status, a.body)
		}
	}
	if a := second.tryFrom(elsewhere, password); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" || !strings.HasPrefix(a.body, `{"detail":"`) {
		t.Errorf("after many guesses: %d, Retry-After %q, %s", a.status, a.header.Get("Retry-After"), a.body)
	}
	second.want(http.StatusOK, second.tryFrom(home, password)) // where the owner was before, guesses from elsewhere do not count

	replicas[0].command(t, "bans", "add", "--ip", home, "--for", "1h", "--reason", "test")
	for _, c := range []*client{first, second} {
		if a := c.want(http.StatusBadRequest, c.tryFrom(home, password)); a.body != `{"detail":"LOGIN_BAD_CREDENTIALS"}` {
			t.Errorf("banned: %s", a.body)
		}
	}
	first.want(http.StatusOK, first.get("/api/users/me"))
	if list := replicas[0].command(t, "bans", "list"); !strings.Contains(list, home) || !strings.Contains(list, `"test"`) {
		t.Errorf("the list: %s", list)
	}
	replicas[0].command(t, "bans", "remove", "--ip", home)
	second.want(http.StatusOK, second.tryFrom(home, password))
}

// hashProcess finds the process beside a server in which passwords are hashed; 0 without one.
func hashProcess(server int) int {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range lines {
		line, _ := os.ReadFile(file)
		status, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "status"))
		if strings.Contains(string(line), "\x00hash-passwords\x00") && strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", server)) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			return pid
		}
	}
	return 0
}

func vanished(pid int) error {
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil && !strings.Contains(string(status), "State:\tZ") {
		return errors.New("it is still there")
	}
	return nil
}

func TestPasswordsAreHashedBesideTheServer(t *testing.T) {
	t.Parallel()
	i := start(t, nil)
	c := signedUp(t, i.url)
	pid := hashProcess(i.PID())
	if pid == 0 {
		t.Fatal("no process beside the server hashes passwords")
	}
	if environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); err != nil || strings.Contains(string(environment), "JWT_SECRET") {
		t.Errorf("its environment: %q, %v", environment, err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "people sign in again", func() error {
		if a := c.tryLogin(password); a.status != http.StatusOK {
			return fmt.Errorf("%d %s", a.status, a.body)
		}
		return nil
	})
	next := hashProcess(i.PID())
	if next == 0 || next == pid {
		t.Fatalf("the process after %d is %d", pid, next)
	}
	i.kill(t)
	within(t, 10*time.Second, "it ends with the server", func() error { return vanished(next) })
}

func TestADeviceIsSignedInByItsCode(t *testing.T) {
	t.Parallel()
	i := shared(t)
	c := signedUp(t, i.url)
	device := newClient(t, i.url)
	var grant struct {
		Device string `json:"device_code"`
		User   string `json:"user_code"`
	}
	device.want(http.StatusOK, device.post("/api/auth/device/code", map[string]any{"name": "a tool"})).json(t, &grant)
	poll := func() answer {
		return device.post("/api/auth/device/token", map[string]any{
			"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": grant.Device,
		})
	}
	if a := device.want(http.StatusBadRequest, poll()); !strings.Contains(a.body, `"authorization_pending"`) {
		t.Errorf("before: %s", a.body)
	}
	c.approves(grant.User)
	var key struct {
		Token string `json:"access_token"`
	}
	device.want(http.StatusOK, poll()).json(t, &key)
	device.token = key.Token
	if me := device.want(http.StatusOK, device.get("/api/users/me")); !strings.Contains(me.body, c.email) {
		t.Errorf("the key is of %s", me.body)
	}
	device.want(http.StatusOK, device.get("/api/conversations/search"))
}

// approves enters the code of a device on the page for that, and says yes.
func (c *client) approves(code string) {
	c.t.Helper()
	cookie := c.browserCookie()
	for _, form := range []url.Values{{"user_code": {code}}, {"user_code": {code}, "decision": {"approve"}}} {
		r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.base+"/account/device", strings.NewReader(form.Encode()))
		if err != nil {
			c.t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Cookie", cookie)
		a, err := do(r)
		if err != nil || a.status != http.StatusOK {
			c.t.Fatalf("the page: %d %v", a.status, err)
		}
	}
}

// browserCookie signs in as a browser does and returns the cookie as it is sent.
func (c *client) browserCookie() string {
	c.t.Helper()
	form := url.Values{"username": {c.email}, "password": {password}}.Encode()
	a := c.want(http.StatusNoContent, newClient(c.t, c.base).send("POST", "/api/auth/cookie/login", strings.NewReader(form), "application/x-www-form-urlencoded"))
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	return cookie
}
