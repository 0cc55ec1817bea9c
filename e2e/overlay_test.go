package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// thing is something on the page as an assistive technology meets it: it sees into closed shadow roots.
type thing struct {
	role, name string
	node       int64
}

// word is a value of the tree, which is not always a text.
type word struct {
	Value any `json:"value"`
}

func (w word) text() string {
	text, _ := w.Value.(string)
	return text
}

// things lists what an assistive technology meets on the page.
func (b *browser) things() (found []thing) {
	b.t.Helper()
	var tree struct {
		Nodes []struct {
			Ignored bool  `json:"ignored"`
			Role    word  `json:"role"`
			Name    word  `json:"name"`
			Node    int64 `json:"backendDOMNodeId"`
		} `json:"nodes"`
	}
	b.call("Accessibility.getFullAXTree", map[string]any{}, &tree)
	for _, n := range tree.Nodes {
		if !n.Ignored {
			found = append(found, thing{n.Role.text(), n.Name.text(), n.Node})
		}
	}
	return found
}

// call is one command of Chromium's protocol.
func (b *browser) call(method string, params, into any) {
	b.t.Helper()
	err := chromedp.Do(b.ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		return t.Call(ctx, method, params, into)
	}))
	if err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
}

// find waits for a thing on the page.
func (b *browser) find(role, name string) (found thing) {
	b.t.Helper()
	within(b.t, 20*time.Second, "the page has the "+role+" "+name, func() error {
		all := b.things()
		at := slices.IndexFunc(all, func(t thing) bool { return t.role == role && strings.HasPrefix(t.name, name) })
		if at < 0 {
			return fmt.Errorf("it has %v", all)
		}
		found = all[at]
		return nil
	})
	return found
}

// click presses the mouse in the middle of a thing, and not before a click there would reach it.
func (b *browser) click(t thing) {
	b.t.Helper()
	var box struct {
		Model struct {
			Border []float64 `json:"border"`
		} `json:"model"`
	}
	b.call("DOM.getBoxModel", map[string]any{"backendNodeId": t.node}, &box)
	corners := box.Model.Border
	if len(corners) != 8 {
		b.t.Fatalf("%s %q has no place on the page: %v", t.role, t.name, corners)
	}
	x, y := (corners[0]+corners[4])/2, (corners[1]+corners[5])/2
	if err := chromedp.Do(b.ctx, chromedp.MouseClickXY(x, y)); err != nil {
		b.t.Fatal(err)
	}
}

func TestTheOverlayInCanvasSaysWhoOneIsAndSignsOut(t *testing.T) {
	t.Parallel()
	server := shared(t)
	b := newBrowser(t, "overlay")
	b.do("registered", chromedp.Navigate(server.url+"/account/register"), chromedp.WaitVisible(passBox), fillRegistration())

	pill := b.find("button", "Ada Lovelace")
	if count := script[int](b, `document.querySelectorAll("openhands-account").length`); count != 1 {
		t.Errorf("the page has %d overlays, want 1", count)
	}
	b.do("closed")
	b.click(pill)
	b.find("button", "Sign out")
	b.do("open")
	shown := fmt.Sprint(b.things())
	for _, text := range []string{"Ada Lovelace", "@example.com", "Team", "Role", "Owner"} {
		if !strings.Contains(shown, text) {
			t.Errorf("the open overlay does not say %q: %s", text, shown)
		}
	}
	b.content()

	b.do("escape", chromedp.KeyEvent("\x1b"))
	within(t, 5*time.Second, "Escape closes it", func() error {
		if slices.ContainsFunc(b.things(), func(t thing) bool { return t.name == "Sign out" }) {
			return errors.New("it is still open")
		}
		return nil
	})
	b.click(pill)
	b.click(b.find("button", "Sign out"))
	b.do("signed out", chromedp.WaitVisible(passBox))
	b.do("no way back", chromedp.Navigate(server.url+"/"), chromedp.WaitVisible(passBox))
}
