package proxy_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

// A client may sign in again on an open socket. Its key is ours to see and not the upstream's, however the message is padded.
func TestACredentialOnAnOpenSocketNeverReachesTheUpstream(t *testing.T) {
	t.Parallel()
	const secret = "LEAKED-KEY"
	pad := func(n int) string { return strings.Repeat("x", n) }
	for name, c := range map[string]struct {
		message string
		ends    bool // it is too long for one look
	}{
		"short":                   {auth(secret), false},
		"over 16 KiB":             {`{"pad":"` + pad(20<<10) + `",` + auth(secret)[1:], false},
		"over 32 KiB in front":    {`{"pad":"` + pad(40<<10) + `",` + auth(secret)[1:], true},
		"over 32 KiB behind":      {strings.TrimSuffix(auth(secret), "}") + `,"pad":"` + pad(40<<10) + `"}`, true},
		"blanks":                  {strings.Repeat(" ", 40<<10) + auth(secret), true},
		"the name spelled oddly":  {`{"pad":"` + pad(40<<10) + `","type":"auth","\u0073\u0065ssion_api\u005Fkey":"` + secret + `"}`, true},
		"behind quotes and lists": {`{"a":"\\\"{","b":[{"c":[1,"}"]},","],"pad":"` + pad(40<<10) + `","type":"auth","session_api_key":"` + secret + `"}`, true},
		"cut within the name":     {`{"pad":"` + pad(32<<10-32) + `","session_api_key":"` + secret + `","type":"auth"}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := newSpeaker()
			var heard atomic.Pointer[[]byte]
			up.greet = func(ctx context.Context, w *websocket.Conn) {
				if !c.ends {
					return
				}
				_, r, err := w.Reader(ctx)
				if err != nil {
					heard.Store(&[]byte{}) // nothing did
					return
				}
				all, _ := io.ReadAll(r) // what came of a message that never ends
				heard.Store(&all)
			}
			s := newStand(t, up.ServeHTTP, nil)
			socket := s.open(t, live, bearer("dev"))
			say(t, socket, c.message)
			if c.ends {
				if got := ends(t, socket, promise); got.Code != websocket.StatusMessageTooBig {
					t.Errorf("closed with %d %s", got.Code, got.Reason)
				}
				testtime.Eventually(t, promise, "the upstream's end is reached", func() bool { return heard.Load() != nil })
				if all := *heard.Load(); bytes.Contains(all, []byte(secret)) {
					t.Errorf("the upstream got the key in %d bytes", len(all))
				}
				return
			}
			say(t, socket, "after")
			if got := hear(t, socket); got != "after" {
				t.Errorf("the upstream got %d bytes %.60q", len(got), got)
			}
		})
	}
}

func TestALongMessageThatIsNoCredentialPasses(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, nil)
	c := s.open(t, live, bearer("dev"))
	long := strings.Repeat("y", 50_000)
	for _, message := range []string{
		`{"role":"user","content":"session_api_key \u00e9` + long + `"}`,
		`{"role":"user","text":"` + long + `","data":{"session_api_key":"of somebody's tool"}}`,
		`{"role":"session_api_key","text":"` + long + `"}`,
		`session_api_key ` + long,
		`["` + long + `"]`,
	} {
		say(t, c, message)
		if got := hear(t, c); got != message {
			t.Errorf("%.50s: got %d bytes of %d", message, len(got), len(message))
		}
	}
}
