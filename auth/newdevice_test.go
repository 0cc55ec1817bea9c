package auth_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/mail"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

// noticeBox keeps the notices of new devices.
type noticeBox struct {
	mu     sync.Mutex
	got    []mail.Message
	refuse error
}

func (b *noticeBox) Put(_ context.Context, _ *postgres.Tx, m mail.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse != nil {
		return b.refuse
	}
	if m.Template == "new-device" {
		b.got = append(b.got, m)
	}
	return nil
}

// take gives the notices since the last call.
func (b *noticeBox) take() []mail.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.got
	b.got = nil
	return got
}

const (
	foxOnLinux      = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
	newerFox        = "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"
	chromeOnWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
)

// watched is a service that tells of new devices, with one user.
func watched(t *testing.T) (*auth.Service, *noticeBox, *testtime.Clock, func(ip, userAgent string)) {
	t.Helper()
	box, c := &noticeBox{}, testtime.NewClock()
	_, s := fresh(t, func(cfg *auth.Config) {
		cfg.Mail, cfg.Now, cfg.PublicURL = box, c.Now, "https://agents.example.com"
	})
	register(t, s, "ada@example.com")
	return s, box, c, func(ip, userAgent string) {
		t.Helper()
		if _, err := s.Login(t.Context(), "ada@example.com", goodPassword, auth.Client{IP: ip, UserAgent: userAgent}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestANewDeviceOrNetworkIsToldOnceAndTheFirstSignInNever(t *testing.T) {
	t.Parallel()
	_, box, _, signIn := watched(t)
	for _, c := range []struct {
		about, ip, userAgent string
		told                 bool
	}{
		{"the very first sign-in", "192.0.2.1", foxOnLinux, false},
		{"the same again", "192.0.2.1", foxOnLinux, false},
		{"a neighbour's address", "192.0.2.200", foxOnLinux, false},
		{"a newer version", "192.0.2.1", newerFox, false},
		{"IPv4 written as IPv6", "::ffff:192.0.2.9", foxOnLinux, false},
		{"another browser", "192.0.2.1", chromeOnWindows, true},
		{"that browser again", "192.0.2.1", chromeOnWindows, false},
		{"another network", "198.51.100.1", foxOnLinux, true},
		{"IPv6", "2001:db8:1:2::1", foxOnLinux, true},
		{"the same house", "2001:db8:1:ff00::7", foxOnLinux, false},
		{"another house", "2001:db8:2::1", foxOnLinux, true},
		{"no address", "", foxOnLinux, true},
		{"no address again", "", foxOnLinux, false},
	} {
		signIn(c.ip, c.userAgent)
		if got := box.take(); (len(got) == 1) != c.told || len(got) > 1 {
			t.Errorf("%s: %+v", c.about, got)
		}
	}
}

func TestTheNoticeSaysWhatWhereAndWhen(t *testing.T) {
	t.Parallel()
	_, box, c, signIn := watched(t)
	signIn("192.0.2.1", foxOnLinux)
	signIn("198.51.100.7", chromeOnWindows)
	got := box.take()
	if len(got) != 1 {
		t.Fatalf("%+v", got)
	}
	m := got[0]
	want := map[string]string{
		"device": "Chrome on Windows", "ip": "198.51.100.7", "time": c.Now().UTC().Format("2 January 2006, 15:04 UTC"),
		"link": "https://agents.example.com/account/sessions",
	}
	for key, value := range want {
		if m.Data[key] != value {
			t.Errorf("%s is %q, want %q", key, m.Data[key], value)
		}
	}
	if m.To != "ada@example.com" || len(m.Data) != len(want) {
		t.Errorf("%+v", m)
	}
}

func TestADeviceThatWasNotUsedForLongIsNewAgain(t *testing.T) {
	t.Parallel()
	_, box, c, signIn := watched(t)
	signIn("192.0.2.1", foxOnLinux)
	c.Advance(89 * 24 * time.Hour)
	if signIn("192.0.2.1", foxOnLinux); len(box.take()) != 0 {
		t.Error("it was told after 89 days")
	}
	c.Advance(91 * 24 * time.Hour)
	if signIn("192.0.2.1", foxOnLinux); len(box.take()) != 1 {
		t.Error("it was not told after 91 days")
	}
}

func TestManyNewDevicesDoNotFloodAMailbox(t *testing.T) {
	t.Parallel()
	_, box, c, signIn := watched(t)
	for n := range 30 {
		signIn("192.0.2.1", "program-"+strings.Repeat("x", n+1)+"/1.0")
	}
	if told := len(box.take()); told != 9 {
		t.Errorf("%d notices within a minute", told)
	}
	c.Advance(25 * time.Hour)
	if signIn("192.0.2.1", "another/1.0"); len(box.take()) != 1 {
		t.Error("nothing is told on the next day")
	}
}

func TestManySignInsFromOneNewDeviceAtOnceAreToldOnce(t *testing.T) {
	t.Parallel()
	s, box, _, signIn := watched(t)
	signIn("192.0.2.1", foxOnLinux)
	var running sync.WaitGroup
	for range 20 {
		running.Go(func() {
			from := auth.Client{IP: "203.0.113.5", UserAgent: chromeOnWindows}
			if _, err := s.GrantToken(t.Context(), auth.SignIn{User: userOf(t, s), Method: "passkey", Factor: true, From: from}); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	if told := len(box.take()); told != 1 {
		t.Errorf("%d notices", told)
	}
}

func TestAnAddressThatTakesNoMailKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	_, box, _, signIn := watched(t)
	signIn("192.0.2.1", foxOnLinux)
	box.refuse = mail.ErrAddress
	signIn("198.51.100.1", foxOnLinux)
}

func TestEveryAddressOfAnAccountCanGetMail(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"ada@example.com", "Ada.Lovelace+tag@Example.COM", "o'hara@example.com", "!#$%&'*+-/=?^_`{|}~@example.com", "é@bücher.example", "用户@例子.公司",
		"“quoted”@example.com", "a¨b@example.com", "é@example.com", strings.Repeat("a", 240) + "@example.com",
	} {
		stored, err := auth.ParseEmail(address)
		if err != nil {
			continue
		}
		if err := mail.CheckAddress(stored); err != nil {
			t.Errorf("%q may have an account, and gets no mail", stored)
		}
	}
}

func FuzzEveryAddressOfAnAccountCanGetMail(f *testing.F) {
	for _, address := range []string{"ada@example.com", "é@bücher.example", "“q”@example.com", "a\u00adb@example.com"} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		stored, err := auth.ParseEmail(address)
		if err == nil && mail.CheckAddress(stored) != nil {
			t.Errorf("%q may have an account, and gets no mail", stored)
		}
	})
}

func userOf(t *testing.T, s *auth.Service) (id [16]byte) {
	u, _, err := s.FindByEmail(t.Context(), "ada@example.com")
	if err != nil {
		t.Error(err)
	}
	return u.ID
}
