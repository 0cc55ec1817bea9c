package relay_test

import (
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/e2e/relay"
)

// TestASecretIsFoundHoweverItIsDelivered cuts what is delivered into packets at every place.
func TestASecretIsFoundHoweverItIsDelivered(t *testing.T) {
	t.Parallel()
	const upgraded = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
	for name, c := range map[string]struct {
		delivered string
		first     int // where the first packet may end
	}{
		"as it is":                     {"hello swordfish bye", 0},
		"in a head":                    {"HTTP/1.1 200 OK\r\nX-Word: swordfish\r\n\r\n", 0},
		"in two chunks":                {"HTTP/1.1 200 OK\r\n\r\n9\r\nhello swo\r\n6\r\nrdfish\r\n0\r\n\r\n", 0},
		"in chunks of one byte":        {"\r\n\r\n1\r\ns\r\n1\r\nw\r\n1\r\no\r\n1\r\nr\r\n1\r\nd\r\n1\r\nf\r\n1\r\ni\r\n1\r\ns\r\n1\r\nh\r\n0\r\n\r\n", 0},
		"in a frame":                   {upgraded + "\x81\x09swordfish", len(upgraded)},
		"in two frames":                {upgraded + "\x01\x05sword\x80\x04fish", len(upgraded)},
		"in frames with longer length": {upgraded + "\x01\x7e\x00\x05sword\x80\x7f\x00\x00\x00\x00\x00\x00\x00\x04fish", len(upgraded)},
		"after empty lines":            {"a\r\n\r\r\n\n\r\nswordfish", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for cut := c.first; cut < len(c.delivered); cut += 7 {
				tap := listen(t, serve(t, c.delivered[:cut], c.delivered[cut:]), map[string]string{"password": "swordfish"})
				if got := read(t, tap.Addr()); got != c.delivered {
					t.Fatalf("delivered %q", got)
				}
				if finds := tap.Finds(); len(finds) != 1 || !strings.HasPrefix(finds[0], "password, after ") {
					t.Errorf("cut at %d: finds = %q", cut, finds)
				}
			}
		})
	}
}

func TestAWordIsJudgedByAllThatFollows(t *testing.T) {
	t.Parallel()
	tap, err := relay.Listen(serve(t, `{"a":"/host/tea`, `ms/1/x","b":"/host/conv`, `ersations/2","c":"/host/teams"} /host`), nil, relay.Word{
		Name: "folder", Begins: "/host", Harmless: func(rest string) bool { return strings.HasPrefix(rest, "/teams") },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tap.Close)
	_ = read(t, tap.Addr())
	finds := tap.Finds()
	if len(finds) != 2 || !strings.HasSuffix(finds[0], `/host/conversations/2"`) || !strings.HasSuffix(finds[1], `/host"`) {
		t.Errorf("finds = %q, want the second word and the last", finds)
	}
}
