package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/uuid"
)

// artifacts holds a screenshot of each step; git ignores it.
const artifacts = "artifacts"

// browser is one headless Chromium with an empty profile.
type browser struct {
	t     *testing.T
	ctx   context.Context
	name  string
	shots int

	mu      sync.Mutex
	refused []string
}

func newBrowser(t *testing.T, name string) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(world.chromium), chromedp.NoSandbox, chromedp.WindowSize(1400, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.UserDataDir(t.TempDir()),
	)
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx, name: name}
	if err := chromedp.Do(ctx); err != nil { // starts the browser, which must outlive each step's limit
		t.Fatalf("start Chromium: %v", err)
	}
	go b.listen()
	return b
}

// foreign are the messages about third parties that Canvas would like to ask: for fonts, news of updates, and icons.
var foreign = regexp.MustCompile(`https://(fonts|registry|cdn\.simpleicons)\.`)

// listen keeps what the page's policy refused of our own origin: Canvas must not need what we forbid. Fonts, telemetry and
// icons of third parties are refused on purpose.
func (b *browser) listen() {
	for message, err := range chromedp.Console(b.ctx) {
		if err != nil {
			return
		}
		if strings.Contains(message.Text, "Content Security Policy") && !foreign.MatchString(message.Text) {
			b.mu.Lock()
			b.refused = append(b.refused, message.Text)
			b.mu.Unlock()
		}
	}
}

// do runs steps of the journey, with a limit, and keeps a picture of how the page looks afterwards.
func (b *browser) do(step string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	err := chromedp.Do(ctx, actions...)
	b.screenshot(step)
	if err != nil {
		b.t.Fatalf("%s: %v\npage: %.2000s", step, err, b.text())
	}
}

// screenshot takes a picture for people. Now and then a busy browser draws no frame and would never answer: then there is none.
func (b *browser) screenshot(step string) {
	b.t.Helper()
	b.shots++
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Logf("no screenshot of %s: %v", step, err)
		return
	}
	file := filepath.Join(artifacts, fmt.Sprintf("%s-%02d-%s.png", b.name, b.shots, strings.ReplaceAll(step, " ", "-")))
	if err := os.MkdirAll(artifacts, 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// script evaluates an expression in the page.
func script[T any](b *browser, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("evaluate %s: %v", expression, err)
	}
	return value
}

// text is what a person reads on the page.
func (b *browser) text() string { return script[string](b, `document.body?.innerText ?? ""`) }

// sees waits until the page shows the text.
func (b *browser) sees(text string) {
	b.t.Helper()
	within(b.t, time.Minute, "the page shows "+text, func() error {
		if got := b.text(); !strings.Contains(got, text) {
			return fmt.Errorf("it shows %.1500s", got)
		}
		return nil
	})
}

// content fails when Canvas shows one of its error banners (what its editor says to screen readers is none), or needed what the page's policy forbids.
func (b *browser) content() {
	b.t.Helper()
	banners := script[[]string](b, `[...document.querySelectorAll(
		'[data-testid="error-message-banner"],[data-testid="home-llm-not-configured-banner"],[role="alert"]')].filter(e => !e.closest(".monaco-aria-container")).map(e => e.innerText)`)
	if len(banners) > 0 {
		b.t.Errorf("Canvas shows a banner: %q", banners)
	}
	if text := b.text(); strings.Contains(text, "Request failed") {
		b.t.Errorf("Canvas complains about a request: %s", text)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.refused) > 0 {
		b.t.Errorf("the page's policy refused: %q", b.refused)
	}
}

// Things on the pages.
const (
	chatBox  = chromedp.CSS(`[data-testid="chat-input"]`)
	home     = chromedp.CSS(`[data-testid="home-screen"]`)
	emailBox = chromedp.CSS(`input[type="email"]`)
	nameBox  = chromedp.CSS(`input[name="name"]`)
	passBox  = chromedp.CSS(`input[type="password"]`)
)

// fillRegistration registers Ada on the page for that, which leads into Canvas.
func fillRegistration() chromedp.Action[chromedp.Void] {
	return chromedp.Steps(
		chromedp.SendKeys(nameBox, "Ada Lovelace"),
		chromedp.SendKeys(emailBox, "person-"+uuid.NewString()[:8]+"@example.com"),
		chromedp.SendKeys(passBox, password),
		chromedp.Submit(passBox),
		chromedp.WaitVisible(home),
	)
}

// send types a message into Canvas's box and sends it.
func send(text string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(
		chromedp.WaitVisible(chatBox),
		chromedp.Click(chatBox),
		chromedp.SendKeys(chatBox, text),
		chromedp.SendKeys(chatBox, "\r"),
	)
}

func TestANewUserRegistersAndHoldsAConversationInTheBrowser(t *testing.T) {
	t.Parallel()
	server := shared(t)
	b := newBrowser(t, "journey")

	b.do("sign in page", chromedp.Navigate(server.url+"/"), chromedp.WaitVisible(passBox))
	b.do("register page", chromedp.Navigate(server.url+"/account/register"), chromedp.WaitVisible(passBox))
	b.do("registered", fillRegistration())
	b.do("canvas", chromedp.WaitVisible(chatBox))
	b.content()
	b.do("sent", send("run: echo result-$((6*7))"))
	b.sees("result-42")
	b.do("answered")
	b.content()
	b.do("reloaded", chromedp.Reload(), chromedp.WaitVisible(chatBox))
	b.sees("result-42")
	b.do("still there")
	b.content()

	if status := script[int](b, `fetch("/account/logout", {method: "POST"}).then(r => r.status)`); status != 200 && status != 204 {
		t.Errorf("signing out answers %d", status)
	}
	b.do("signed out", chromedp.Navigate(server.url+"/"), chromedp.WaitVisible(passBox))
}
