package app

import (
	"crypto/hkdf"
	"crypto/sha256"
	"net"
	"net/url"
	"strings"

	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

// contentConfig is the second origin, nil where CONTENT_URL names none. All replicas make the same key of the same secret.
func (a *App) contentConfig() (*proxy.ContentConfig, error) {
	if a.cfg.ContentURL == "" {
		return nil, nil
	}
	key, err := hkdf.Key(sha256.New, []byte(a.secret.Reveal()), nil, "openhands-saas links to files of workspaces", 32)
	if err != nil {
		return nil, err
	}
	return &proxy.ContentConfig{Origin: a.cfg.ContentURL, Key: key, Prefix: agentserver.ConversationsPrefix}, nil
}

// contentHost tells by the Host header which requests are for the content origin, and so can never reach anything else. Its port
// counts only where nothing else tells the two origins apart: proxies in front often leave it out.
func (a *App) contentHost() func(host string) bool {
	if a.cfg.ContentURL == "" {
		return func(string) bool { return false }
	}
	content, public := hostOf(a.cfg.ContentURL), hostOf(a.cfg.PublicURL)
	return func(host string) bool {
		asked := splitHost(host, content.standard)
		return asked.name == content.name && (content.name != public.name || asked.port == content.port)
	}
}

// place is a host as it may stand in a URL, in its one spelling. standard is the port of its scheme.
type place struct{ name, port, standard string }

func hostOf(origin string) place {
	u, err := url.Parse(origin)
	if err != nil {
		return place{}
	}
	standard := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	return splitHost(u.Host, standard)
}

func splitHost(host, standard string) place {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), ""
	}
	if port == "" {
		port = standard
	}
	return place{strings.ToLower(strings.TrimSuffix(name, ".")), port, standard}
}
