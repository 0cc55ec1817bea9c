package auth

import (
	"bufio"
	"context"
	"crypto/sha1" //nolint:gosec // what the service speaks; nothing is protected by it
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// breach asks a service in the form of Pwned Passwords' range API which passwords leaked. The service learns the first five of 40
// digits of a hash, which hundreds of passwords share. When it does not answer, passwords count as good.
type breach struct {
	url    string // empty: nobody is asked
	client *http.Client
	log    *slog.Logger
}

const (
	breachTime = 3 * time.Second
	breachBody = 1 << 20
)

func newBreach(url string, log *slog.Logger) *breach {
	transport := &http.Transport{MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute}
	return &breach{url: strings.TrimSuffix(url, "/"), client: &http.Client{Timeout: breachTime, Transport: transport}, log: log}
}

// close gives up the connections that are kept.
func (b *breach) close() { b.client.CloseIdleConnections() }

func (b *breach) knows(ctx context.Context, password string) bool {
	if b.url == "" {
		return false
	}
	sum := sha1.Sum([]byte(password)) //nolint:gosec // see above
	digits := strings.ToUpper(hex.EncodeToString(sum[:]))
	found, err := b.ask(ctx, digits[:5], digits[5:])
	if err != nil {
		b.log.WarnContext(ctx, "a new password was not looked up among those that leaked, and counts as good", "error", err)
	}
	return found
}

func (b *breach) ask(ctx context.Context, prefix, suffix string) (bool, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/"+prefix, nil)
	if err != nil {
		return false, err
	}
	r.Header.Set("User-Agent", "openhands-saas")
	r.Header.Set("Add-Padding", "true") // so that the length of the answer tells nobody which one it is
	res, err := b.client.Do(r)
	if err != nil {
		return false, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return false, fmt.Errorf("the service answered %d", res.StatusCode)
	}
	return listed(io.LimitReader(res.Body, breachBody), suffix)
}

// listed looks for a suffix in lines of SUFFIX:COUNT. Padding has the count 0.
func listed(body io.Reader, suffix string) (bool, error) {
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		found, count, _ := strings.Cut(lines.Text(), ":")
		if strings.EqualFold(found, suffix) {
			return strings.TrimSpace(count) != "0", nil
		}
	}
	return false, lines.Err()
}
