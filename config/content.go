package config

import (
	"net/url"
	"strings"
)

// checkContent wants an origin that no browser takes for ours, and which the Host header tells from it.
func (c *Config) checkContent(problems *Problems) {
	if c.ContentURL == "" || c.invalid["CONTENT_URL"] || c.invalid["PUBLIC_URL"] {
		return
	}
	content, public := placeOf(c.ContentURL), placeOf(c.PublicURL)
	switch {
	case !c.given("PUBLIC_URL"):
		c.need(problems, "PUBLIC_URL", "set it beside CONTENT_URL, to the origin that people use: the two are told apart by their hosts")
	case content.scheme != public.scheme:
		c.fault(problems, "CONTENT_URL", "write the scheme of PUBLIC_URL ("+public.scheme+"): browsers show no pages of the other in it, and links hold secrets")
	case content == public:
		c.fault(problems, "CONTENT_URL", "name another origin than PUBLIC_URL, such as a host name of its own that leads here, too")
	case content.host == public.host:
		c.notice("CONTENT_URL has the host of PUBLIC_URL: cookies know no ports, so browsers send the session's there, too (it is ignored). Prefer a host name of its own.")
	}
}

// place is an origin, with the port spelled out.
type place struct{ scheme, host, port string }

func placeOf(origin string) place {
	u, err := url.Parse(origin)
	if err != nil {
		return place{}
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return place{u.Scheme, strings.TrimSuffix(u.Hostname(), "."), port}
}
