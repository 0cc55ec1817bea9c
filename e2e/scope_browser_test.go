package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/uuid"
)

// The switch on Canvas's settings pages, as an assistive technology meets it.
const (
	ownScope  = "my own settings"
	teamScope = "the team's settings"
)

// editsForTeam has the settings page edit what is the team's.
func (b *browser) editsForTeam(team string) {
	b.t.Helper()
	b.click(b.find("button", teamScope))
	b.find("StaticText", "Editing the settings of "+team)
}

// has says whether an assistive technology meets such a thing now.
func (b *browser) has(role, name string) bool {
	b.t.Helper()
	return slices.ContainsFunc(b.things(), func(t thing) bool { return t.role == role && strings.HasPrefix(t.name, name) })
}

// acts makes the team the current one of the browser's session and opens a settings page.
func (b *browser) acts(base, team, page string) {
	b.t.Helper()
	if status := script[int](b, `fetch("/api/teams/`+team+`/switch", {method: "POST"}).then(r => r.status)`); status != http.StatusOK {
		b.t.Fatalf("switching to the team answers %d", status)
	}
	b.do("settings", chromedp.Navigate(base+page), chromedp.WaitVisible(chromedp.CSS(named("add-llm-profile"))))
}

// writes puts the text into a box of Canvas's, in the place of what stands there.
func (b *browser) writes(id, text string) {
	b.t.Helper()
	b.press(named(id))
	script[bool](b, fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.focus(); e.select(); return true; })()`, named(id)))
	if err := chromedp.Do(b.ctx, chromedp.KeyEvent(text)); err != nil {
		b.t.Fatal(err)
	}
}

// An Owner sets a model and a secret for all, in the settings pages that Canvas has for one's own. A Developer's conversations run
// with them; neither sees the Developer the key, nor the switch.
func TestAnOwnerEditsTheTeamsSettingsInCanvasAndADeveloperHasThem(t *testing.T) {
	t.Parallel()
	server := start(t, map[string]string{"EGRESS_ALLOW": "127.0.0.0/8"})
	owner, developer := signedUp(t, server.url), signedUp(t, server.url)
	team := owner.field(owner.want(http.StatusCreated, owner.post("/api/teams/", map[string]any{"name": "Research"})), "id")
	owner.want(http.StatusCreated, owner.post("/api/teams/"+team+"/members", map[string]any{"email": developer.email, "role": "developer"}))
	owner, developer = owner.inTeam(team), developer.inTeam(team)
	secret := "kept-" + uuid.NewString()

	wire := newTap(t, server.url)
	b := newBrowser(t, "scope-owner")
	b.do("signed in", signIn(wire.url, owner))
	if b.has("button", teamScope) {
		t.Error("the switch is on the start page")
	}
	b.acts(wire.url, team, "/settings/llm")
	b.find("StaticText", "Editing:")
	b.do("own")
	b.editsForTeam("Research")
	b.setsModel(wire, world.llm.URL(), world.llm.Key())
	b.setsSecret(wire, "TEAM_TOKEN", secret)
	b.do("reloaded", chromedp.Reload())
	b.find("StaticText", "Editing the settings of Research")
	b.sees("TEAM_TOKEN")
	b.do("still there")
	b.content()
	b.keepsPreferencesApart(owner, team)
	b.leavesTheTeamBehind()

	listed := owner.want(http.StatusOK, owner.get("/api/teams/"+team+"/secrets"))
	mine := owner.want(http.StatusForbidden, owner.json("DELETE", "/api/settings/secrets/TEAM_TOKEN", nil))
	if !strings.Contains(listed.body, "TEAM_TOKEN") || !strings.Contains(mine.body, "belongs to the team") {
		t.Errorf("the secret is not the team's: %s, %s", listed.body, mine.body)
	}
	hasTheTeams(t, server, developer, team, secret)
}

// setsModel adds a model with its key and makes it the one that counts.
func (b *browser) setsModel(wire *tap, address, key string) {
	b.t.Helper()
	b.press(named("add-llm-profile"))
	b.press(`[role="tab"]:nth-child(2)`)
	b.writes("profile-name-input", "of-the-team")
	b.writes("llm-custom-model-input", "openai/of-the-team")
	b.writes("base-url-input", address)
	b.writes("llm-api-key-input", key)
	b.do("model")
	b.press(named("save-profile-btn"))
	wire.answered(b.t, "POST", "/api/profiles/of-the-team", http.StatusCreated)
	b.sees("of-the-team")
	b.do("model saved")
	b.press(named("profile-menu-trigger"))
	b.press(named("profile-set-active"))
	wire.answered(b.t, "POST", "/api/profiles/of-the-team/activate", http.StatusOK)
	b.do("model active")
}

// setsSecret goes to the next settings page by Canvas's own menu, where it is still the team's that are edited.
func (b *browser) setsSecret(wire *tap, name, value string) {
	b.t.Helper()
	b.click(b.find("link", "Secrets"))
	b.sees("No secrets saved yet")
	b.find("StaticText", "Editing the settings of Research")
	b.press(named("add-secret-button"))
	b.writes("name-input", name)
	b.writes("value-input", value)
	b.do("secret")
	b.press(named("submit-button"))
	wire.answered(b.t, "PUT", "/api/settings/secrets", http.StatusOK)
	b.sees(name)
	b.do("secret saved")
}

// keepsPreferencesApart changes a preference where the team's settings are edited: it is the person's own.
func (b *browser) keepsPreferencesApart(owner *client, team string) {
	b.t.Helper()
	const name = `"git_user_name":"Ada Lovelace"`
	status := script[int](b, `fetch("/api/settings", {
		method: "PATCH", headers: {"Content-Type": "application/json"}, body: '{"misc_settings_diff":{"app_preferences":{`+name+`}}}',
	}).then(r => r.status)`)
	shown := script[string](b, `fetch("/api/settings").then(r => r.text())`)
	own := owner.want(http.StatusOK, owner.get("/api/settings"))
	teams := owner.want(http.StatusOK, owner.get("/api/teams/"+team+"/settings"))
	if status != http.StatusOK || !strings.Contains(own.body, name) || strings.Contains(teams.body, name) {
		b.t.Errorf("%d: one's own is %s, the team's %s", status, own.body, teams.body)
	}
	if !strings.Contains(shown, name) || !strings.Contains(shown, `"operator_model":`) {
		b.t.Errorf("the page is shown %s", shown)
	}
}

// leavesTheTeamBehind goes to another page of Canvas's and comes back: one's own is edited again.
func (b *browser) leavesTheTeamBehind() {
	b.t.Helper()
	b.click(b.find("link", "New Chat"))
	b.do("left", chromedp.WaitVisible(home))
	within(b.t, 20*time.Second, "the team is forgotten", func() error {
		if b.has("StaticText", "Editing") || script[int](b, `sessionStorage.getItem("openhands-scope") === null ? 0 : 1`) != 0 {
			return errors.New("it is still there")
		}
		return nil
	})
	b.click(b.find("link", "Settings"))
	b.find("StaticText", "Editing:")
	b.do("own again")
}

// hasTheTeams shows what a Developer has of it.
func hasTheTeams(t *testing.T, server *instance, developer *client, team, secret string) {
	t.Helper()
	talk := newTalk()
	talk["initial_message"] = said("run: echo ${#TEAM_TOKEN}-letters\nsay: done\n")
	talk["secrets"] = map[string]any{"TEAM_TOKEN": map[string]any{"kind": "LookupSecret", "url": "/api/settings/secrets/TEAM_TOKEN"}} // as Canvas does
	id := developer.field(developer.want(http.StatusCreated, developer.post("/api/conversations", talk)), "id")
	developer.finished(id)
	if events := developer.events(id); !strings.Contains(events, fmt.Sprintf("%d-letters", len(secret))) {
		t.Errorf("the agent of a Developer has not the team's secret: %.3000s", events)
	}

	wire := newTap(t, server.url)
	b := newBrowser(t, "scope-developer")
	b.do("signed in", signIn(wire.url, developer))
	b.acts(wire.url, team, "/settings/llm")
	b.find("button", developer.email)
	b.sees("openai/of-the-team")
	b.do("model of the team")
	if b.has("button", teamScope) || b.has("StaticText", "Editing") {
		t.Error("a Developer sees the switch")
	}
	// A Developer who chooses it by hand gets no further than the server.
	if status := script[int](b, `fetch("/api/settings", {headers: {"X-OpenHands-Scope": "team"}}).then(r => r.status)`); status != http.StatusForbidden {
		t.Errorf("a Developer who asks for the team's settings gets %d", status)
	}
	script[bool](b, `sessionStorage.setItem("openhands-scope", "`+team+`") === undefined`)
	b.do("by hand", chromedp.Reload())
	within(t, 20*time.Second, "the page edits one's own again", func() error {
		if script[bool](b, `sessionStorage.getItem("openhands-scope") !== null`) {
			return errors.New("not yet")
		}
		return nil
	})
	b.sees("openai/of-the-team")
	b.do("own again")
	for _, kept := range []string{secret, world.llm.Key()} {
		if strings.Contains(wire.delivered(), kept) {
			t.Errorf("%q was delivered to a Developer", kept)
		}
	}
}
