package config_test

import (
	"strings"
	"testing"
)

func TestTheContentOriginIsAnotherThanThePublicOne(t *testing.T) {
	t.Parallel()
	public := "PUBLIC_URL=https://agents.example.com"
	for _, c := range []struct {
		environ     []string
		name, fault string
	}{
		{[]string{"CONTENT_URL=https://content.example.com"}, "PUBLIC_URL", "set it beside CONTENT_URL"},
		{[]string{public, "CONTENT_URL=https://agents.example.com"}, "CONTENT_URL", "another origin"},
		{[]string{public, "CONTENT_URL=https://Agents.example.com.:443/"}, "CONTENT_URL", "another origin"},
		{[]string{public, "CONTENT_URL=http://content.example.com"}, "CONTENT_URL", "the scheme of PUBLIC_URL (https)"},
		{[]string{"PUBLIC_URL=http://agents.example.com", "CONTENT_URL=https://agents.example.com"}, "CONTENT_URL", "the scheme of PUBLIC_URL (http)"},
	} {
		if got := problemsOf(t, errOf(load(t, good(c.environ...)...)))[c.name]; !strings.Contains(got, c.fault) {
			t.Errorf("%v: %q, want %q", c.environ, got, c.fault)
		}
	}
	c := mustLoad(t, good(public, "CONTENT_URL=https://Content.example.com/")...)
	if c.ContentURL != "https://content.example.com" || len(c.Notices) != 0 {
		t.Errorf("%q, %q", c.ContentURL, c.Notices)
	}
	c = mustLoad(t, good(public, "CONTENT_URL=https://agents.example.com:8443")...)
	if len(c.Notices) != 1 || !strings.Contains(c.Notices[0], "cookies know no ports") {
		t.Errorf("on another port: %q", c.Notices)
	}
}
