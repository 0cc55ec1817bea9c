package mail_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/internal/mail"
)

// certificate is one for 127.0.0.1, and the pool that trusts it.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	web := httptest.NewTLSServer(nil)
	t.Cleanup(web.Close)
	pool := x509.NewCertPool()
	pool.AddCert(web.Certificate())
	return &tls.Config{Certificates: web.TLS.Certificates}, pool
}

func sender(t *testing.T, url string, trusted *x509.CertPool) *mail.Sender {
	t.Helper()
	s, err := mail.NewSender(url, "openhands@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if trusted != nil {
		s.Trust(trusted)
	}
	return s
}

func withPassword(url string) string { return strings.Replace(url, "://", "://openhands:hunter2@", 1) }

func TestBothKindsOfTLSSendOnlyToACertificateThatIsTrusted(t *testing.T) {
	t.Parallel()
	config, trusted := certificate(t)
	for scheme, implicit := range map[string]bool{"smtp": false, "smtps": true} {
		s := serveSMTP(t, func(s *server) { s.tls, s.implicit = config, implicit })
		url := withPassword(s.url(scheme))
		if err := sender(t, url, x509.NewCertPool()).Test(t.Context(), site, "ada@example.com"); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s: an unknown certificate: %v", scheme, err)
		}
		if heard := s.heard(); len(s.received()) != 0 || strings.Contains(heard, "AUTH") || strings.Contains(heard, "ada@") {
			t.Fatalf("%s: the server heard %s", scheme, heard)
		}
		if err := sender(t, url, trusted).Test(t.Context(), site, "ada@example.com"); err != nil || len(s.received()) != 1 {
			t.Errorf("%s: a trusted certificate: %v, %d received", scheme, err, len(s.received()))
		}
		if !strings.Contains(s.heard(), "AUTH PLAIN") {
			t.Errorf("%s: nobody signed in: %s", scheme, s.heard())
		}
	}
}

func TestWithoutSTARTTLSNothingIsSaid(t *testing.T) {
	t.Parallel()
	s := serveSMTP(t) // as if somebody in between had cut the offer out
	err := sender(t, withPassword(s.url("smtp")), nil).Test(t.Context(), site, "ada@example.com")
	if err == nil || !strings.Contains(err.Error(), "STARTTLS") {
		t.Errorf("got %v", err)
	}
	if heard := s.heard(); strings.Contains(heard, "AUTH") || strings.Contains(heard, "MAIL") {
		t.Errorf("the server heard %s", heard)
	}
}

func TestACertificateForAnotherNameIsRefused(t *testing.T) {
	t.Parallel()
	config, trusted := certificate(t)
	s := serveSMTP(t, func(s *server) { s.tls = config })
	url := strings.Replace(s.url("smtp"), "127.0.0.1", "localhost", 1)
	if err := sender(t, url, trusted).Test(t.Context(), site, "ada@example.com"); err == nil || !strings.Contains(err.Error(), "localhost") {
		t.Errorf("got %v", err)
	}
}

func TestAddressesInOtherScriptsGoWithAnASCIIDomain(t *testing.T) {
	t.Parallel()
	s := serveSMTP(t)
	if err := sender(t, s.url("smtp+plain"), nil).Test(t.Context(), site, "ada@bücher.example"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.heard(), "RCPT TO:<ada@xn--bcher-kva.example>") || !strings.Contains(header(t, s.received()[0], "To"), "ada@xn--bcher-kva.example") {
		t.Errorf("the server heard %s", s.heard())
	}
}

func TestASenderIsReadStrictly(t *testing.T) {
	t.Parallel()
	for url, from := range map[string]string{
		"": "a@example.com", "smtp://": "a@example.com", "http://mail.example.com": "a@example.com", "mail.example.com:25": "a@example.com",
		"smtp://mail.example.com": "", "smtps://mail.example.com": "a@example.com\r\nBcc: eve@example.com", "smtp://m.example.com": "a@example.com, b@example.com",
	} {
		if _, err := mail.NewSender(url, from); err == nil {
			t.Errorf("%q from %q is taken", url, from)
		}
	}
	for url, want := range map[string]string{
		"smtp://mail.example.com": "mail.example.com:587", "smtps://mail.example.com": "mail.example.com:465", "smtp+plain://localhost": "localhost:25",
		"smtp://u:p%40@mail.example.com:2525": "mail.example.com:2525",
	} {
		if s, err := mail.NewSender(url, "OpenHands <a@example.com>"); err != nil || s.Server() != want {
			t.Errorf("%s: %v", url, err)
		}
	}
}
