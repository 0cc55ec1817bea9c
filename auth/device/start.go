package device

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Grant is what a program gets that asks to be let in. Its JSON form is RFC 8628's.
type Grant struct {
	DeviceCode  string `json:"device_code"`
	UserCode    string `json:"user_code"`
	URI         string `json:"verification_uri"`
	URIComplete string `json:"verification_uri_complete"`
	ExpiresIn   int    `json:"expires_in"`
	Interval    int    `json:"interval"`
}

// Start notes that a program of that name waits. scope is OAuth's list; empty: read and write.
func (s *Service) Start(ctx context.Context, name, scope string, from auth.Client) (Grant, error) {
	if s.cfg.Limits != nil {
		if err := s.cfg.Limits.Take(ctx, actStart, addressKey(from)...); err != nil {
			return Grant{}, err
		}
	}
	scopes, err := parseScope(scope)
	if err != nil {
		return Grant{}, err
	}
	now := s.cfg.Now()
	g := Grant{
		DeviceCode: rand.Text() + rand.Text(), UserCode: newUserCode(), URI: s.cfg.Page,
		ExpiresIn: int(lifetime.Seconds()), Interval: firstPause,
	}
	g.URIComplete = g.URI + "?user_code=" + url.QueryEscape(g.UserCode)
	_, err = s.db.ExecContext(ctx, `
		INSERT INTO device_requests (device_hash, user_hash, name, scopes, ip, user_agent, created_at, expires_at, pause)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		hashDevice(g.DeviceCode), s.hashUser(foldUserCode(g.UserCode)), nameOf(name), list(scopes), from.IP, clip(from.UserAgent, maxUserAgent),
		now, now.Add(lifetime), firstPause)
	if err != nil {
		return Grant{}, postgres.Problem(fmt.Errorf("insert a device's request: %w", err))
	}
	return g, nil
}

// parseScope reads a list of scopes. A device never administers.
func parseScope(scope string) ([]string, error) {
	scopes := strings.Fields(scope)
	if len(scopes) == 0 {
		return []string{string(access.ScopeRead), string(access.ScopeWrite)}, nil
	}
	for _, asked := range scopes {
		if asked != string(access.ScopeRead) && asked != string(access.ScopeWrite) {
			return nil, ErrScope
		}
	}
	slices.Sort(scopes)
	return slices.Compact(scopes), nil
}

const (
	maxName      = 80
	maxUserAgent = 300
)

// nameOf is how a program calls itself, on one line and printable: it is shown to whoever decides, and names the key.
func nameOf(name string) string {
	name = clip(name, maxName)
	if name == "" {
		return "A device"
	}
	return name
}

func clip(text string, most int) string {
	text = strings.Join(strings.Fields(strings.Map(plain, strings.ToValidUTF8(text, "�"))), " ")
	if utf8.RuneCountInString(text) > most {
		text = strings.TrimSpace(string([]rune(text)[:most]))
	}
	return text
}
