package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// things of one's own that somebody keeps by Canvas's pages, and what their agents find then.
type belongings struct {
	who       *person
	team      string // "" for their personal one
	key       string
	secrets   map[string]string
	inherited map[string]string // from the team
	helper    bool              // an agent profile, too
}

// peopleInBrowsers has two people of one team and one of none of theirs keep different keys, secrets and profiles by Canvas's own
// pages, under the same names, and hold a conversation.
func peopleInBrowsers(t *testing.T, b *bank) {
	h := b.newHouse(t, "Research")
	teams := b.plant(b.ada)
	h.ada.want(http.StatusOK, h.ada.with(h.keep, "PUT", "/api/settings/secrets", map[string]any{"name": "TEAM_TOKEN", "value": teams}))
	inherited := map[string]string{"TEAM_TOKEN": teams}
	for _, p := range []belongings{
		{b.ada, h.team, b.plant(b.ada), map[string]string{"API_TOKEN": b.plant(b.ada), "ADA_ONLY": b.plant(b.ada)}, inherited, true},
		{b.ben, h.team, b.plant(b.ben), map[string]string{"API_TOKEN": b.plant(b.ben)}, inherited, false},
		{b.cleo, "", b.plant(b.cleo), map[string]string{"API_TOKEN": b.plant(b.cleo)}, nil, false},
	} {
		t.Run(p.who.name, func(t *testing.T) {
			t.Parallel()
			page := keeping{newBrowser(t, "vault-"+p.who.name), p}
			page.do("signed in", signIn(p.who.wire.url, p.who.client))
			if p.team != "" {
				page.moves()
			}
			page.keepsModel(b.provider)
			page.keepsSecrets()
			if p.helper {
				page.keepsHelper()
			}
			page.findsAllAgain()
			id := page.talks()
			c := p.who.as(t, p.team)
			b.provider.ranWith(t, id, p.key)
			c.holds(id, p.all())

			var shown struct { // and once more as the page does it, without the page
				Agent map[string]any `json:"agent_settings"`
			}
			c.want(http.StatusOK, c.reading("encrypted", "/api/settings")).json(t, &shown)
			body := talkWith(shown.Agent, inspects("API_TOKEN", "ADA_ONLY", "TEAM_TOKEN"))
			body["secrets_encrypted"] = true
			body["secrets"] = map[string]any{"API_TOKEN": map[string]any{"kind": "LookupSecret", "url": "/api/settings/secrets/API_TOKEN"}}
			id = c.starts(body)
			b.provider.ranWith(t, id, p.key)
			c.holds(id, map[string]string{"API_TOKEN": p.secrets["API_TOKEN"]})
		})
	}
}

// all is what the agent's environment holds.
func (p belongings) all() map[string]string {
	all := map[string]string{}
	for _, some := range []map[string]string{p.secrets, p.inherited} {
		for name, value := range some {
			all[name] = value
		}
	}
	return all
}

// keeping is a browser in which somebody keeps these.
type keeping struct {
	*browser
	belongings
}

// moves makes the team the current one of the browser's session.
func (b keeping) moves() {
	b.t.Helper()
	if status := script[int](b.browser, `fetch("/api/teams/`+b.team+`/switch", {method: "POST"}).then(r => r.status)`); status != http.StatusOK {
		b.t.Fatalf("switching to the team answers %d", status)
	}
}

// opens goes to a page of Canvas and waits for a thing on it.
func (b keeping) opens(page, thing string) {
	b.t.Helper()
	b.do("open "+path.Base(page), chromedp.Navigate(b.who.wire.url+page), chromedp.WaitVisible(chromedp.CSS(thing)))
}

// fillsIn types a text into a box, in the place of what is there.
func (b keeping) fillsIn(box, text string) {
	b.t.Helper()
	selector := named(box)
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector))); err != nil {
		b.t.Fatalf("click %s: %v", box, err)
	}
	script[int](b.browser, fmt.Sprintf(`(document.querySelector(%q).select(), 1)`, selector))
	if err := chromedp.Do(ctx, chromedp.KeyEvent(text)); err != nil {
		b.t.Fatalf("type into %s: %v", box, err)
	}
	if got := script[string](b.browser, fmt.Sprintf(`document.querySelector(%q).value`, selector)); got != text {
		b.t.Fatalf("%s holds %q, want %q", box, got, text)
	}
}

// rowSays waits until the last row of a list shows a text.
func (b keeping) rowSays(row, text string) {
	b.t.Helper()
	within(b.t, 30*time.Second, "the row says "+text, func() error {
		said := script[string](b.browser, fmt.Sprintf(`[...document.querySelectorAll(%q)].pop()?.innerText ?? ""`, named(row)))
		if !strings.Contains(said, text) {
			return fmt.Errorf("it says %q", said)
		}
		return nil
	})
}

// keepsModel makes a profile of a model with a key, and makes it the one that counts.
func (b keeping) keepsModel(at *provider) {
	b.t.Helper()
	b.opens("/settings/llm", named("add-llm-profile"))
	b.press(named("add-llm-profile"))
	b.fillsIn("profile-name-input", "mine")
	b.fillsIn("llm-custom-model-input", "openai/scripted")
	b.fillsIn("base-url-input", at.url)
	b.fillsIn("llm-api-key-input", b.key)
	b.do("model typed")
	b.press(named("save-profile-btn"))
	b.rowSays("profile-row", "mine")
	b.press(named("profile-row") + " " + named("profile-menu-trigger"))
	b.press(named("profile-set-active"))
	b.rowSays("profile-row", "Default")
	b.do("model kept")
	b.content()
}

// keepsSecrets adds each secret; ADA_ONLY gets its name afterwards, for which the page reads it in clear.
func (b keeping) keepsSecrets() {
	b.t.Helper()
	for name, value := range b.secrets {
		b.opens("/settings/secrets", named("add-secret-button"))
		b.press(named("add-secret-button"))
		first := map[string]string{"ADA_ONLY": "Z_DRAFT"}[name] // the last in the list
		if first == "" {
			first = name
		}
		b.fillsIn("name-input", first)
		b.fillsIn("value-input", value)
		b.fillsIn("description-input", "of "+b.who.name)
		b.press(named("submit-button"))
		b.sees(first)
		if first != name {
			b.rowSays("secret-item", first)
			b.press(named("secret-item") + " " + named("edit-secret-button"))
			b.fillsIn("name-input", name)
			b.press(named("submit-button"))
			b.sees(name)
		}
	}
	b.do("secrets kept", chromedp.Reload(), chromedp.WaitVisible(chromedp.CSS(named("secret-item"))))
	for name := range b.all() {
		b.sees(name)
	}
	b.do("secrets reloaded")
	b.content()
}

// keepsHelper makes an agent profile and makes it the one that counts.
func (b keeping) keepsHelper() {
	b.t.Helper()
	b.opens("/settings/agents", named("add-agent-profile"))
	b.press(named("add-agent-profile"))
	b.fillsIn("agent-profile-name-input", "helper")
	b.press(named("save-agent-profile-btn"))
	b.rowSays("agent-profile-row", "helper")
	b.press(named("agent-profile-row") + " " + named("agent-profile-menu-trigger"))
	b.press(named("agent-profile-set-active"))
	b.rowSays("agent-profile-row", "Default")
	b.do("agent profile kept")
	b.content()
}

// findsAllAgain loads the pages anew: all is there, and no secret is.
func (b keeping) findsAllAgain() {
	b.t.Helper()
	b.opens("/settings/llm", named("profile-row"))
	b.do("model reloaded", chromedp.Reload(), chromedp.WaitVisible(chromedp.CSS(named("profile-row"))))
	b.rowSays("profile-row", "Default")
	b.press(named("profile-row") + " " + named("profile-menu-trigger"))
	b.press(named("profile-edit"))
	b.do("model again", chromedp.WaitVisible(chromedp.CSS(named("llm-api-key-input"))))
	if key := script[string](b.browser, `document.querySelector('[data-testid="llm-api-key-input"]').value`); !strings.HasPrefix(key, "ohv1.") {
		b.t.Errorf("the box for the key holds %q", key)
	}
	if html := script[string](b.browser, `document.documentElement.outerHTML + JSON.stringify(localStorage)`); strings.Contains(html, "planted") {
		b.t.Error("the page holds a secret")
	}
	b.content()
}

// talks holds a conversation in which the agent looks at its environment, and returns its id.
func (b keeping) talks() string {
	b.t.Helper()
	b.do("home", chromedp.Navigate(b.who.wire.url+"/"), chromedp.WaitVisible(home))
	b.do("sent", send(inspects("API_TOKEN", "ADA_ONLY", "TEAM_TOKEN", "Z_DRAFT")))
	b.sees("inspected-42")
	b.do("answered")
	b.content()
	id := path.Base(script[string](b.browser, `location.pathname`))
	b.who.as(b.t, b.team).finished(id)
	return id
}
