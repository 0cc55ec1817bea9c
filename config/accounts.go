package config

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/mail"
	"net/url"
	"strings"
)

// checkAccounts looks at what belongs together in how people sign in.
func (c *Config) checkAccounts(problems *Problems) {
	c.checkMail(problems)
	if (c.GitHubClientID == "") != (c.GitHubClientSecret == "") {
		missing := "GITHUB_CLIENT_SECRET"
		if c.GitHubClientID == "" {
			missing = "GITHUB_CLIENT_ID"
		}
		c.need(problems, missing, "set it, too: signing in by GitHub needs both")
	}
	if c.JWTPrivateKey != "" {
		if _, err := c.SigningKeys(); err != nil {
			c.fault(problems, "JWT_PRIVATE_KEY", err.Error())
		}
	}
	if !c.RateLimits && !c.invalid["RATE_LIMITS"] {
		c.notice("RATE_LIMITS IS OFF: passwords, codes and links can be guessed as fast as this machine answers. This is for tests only.")
	}
}

func (c *Config) checkMail(problems *Problems) {
	if c.SMTPURL != "" && c.MailFrom == "" {
		c.need(problems, "MAIL_FROM", "set it to the address that mails come from, such as OpenHands <openhands@example.com>")
	}
	if _, err := mail.ParseAddress(c.MailFrom); c.MailFrom != "" && err != nil {
		c.fault(problems, "MAIL_FROM", "write an address, or a name and an address: OpenHands <openhands@example.com>")
	}
	if c.SMTPURL == "" {
		return
	}
	u, err := url.Parse(c.SMTPURL.Reveal())
	if err != nil || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		c.fault(problems, "SMTP_URL", "write smtp://user:password@mail.example.com:587 (user name and password with % escapes where they hold @, : or /)")
		return
	}
	switch {
	case u.Scheme == "smtp", u.Scheme == "smtps":
	case u.Scheme == "smtp+plain" && local(u.Hostname()):
	case u.Scheme == "smtp+plain":
		c.fault(problems, "SMTP_URL", "smtp+plain sends everything readable, so it is for a server on this machine only: write smtp (STARTTLS) or smtps")
	default:
		c.fault(problems, "SMTP_URL", "begin with smtp:// (STARTTLS), smtps:// (TLS) or, for a server on this machine, smtp+plain://")
	}
}

// SigningKeys are the keys of JWT_PRIVATE_KEY: the first signs, the others verify. None when it is not set.
func (c *Config) SigningKeys() (keys []ed25519.PrivateKey, err error) {
	rest := []byte(strings.TrimSpace(c.JWTPrivateKey.Reveal()))
	for len(rest) > 0 {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errNoSigningKey
		}
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		signer, ok := key.(ed25519.PrivateKey)
		if err != nil || !ok {
			return nil, errNoSigningKey
		}
		keys, rest = append(keys, signer), bytes.TrimSpace(rest)
	}
	return keys, nil
}

var errNoSigningKey = errors.New("write an Ed25519 key in PEM; make one with: openssl genpkey -algorithm ed25519")
