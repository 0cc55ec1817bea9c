package agentserver_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// A client that is told to try again would do so for ever.
func TestAQueryThatTheUpstreamRefusesEndsTheSocketForGood(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", nil).String()
	status := http.StatusForbidden
	w.upstream.script(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
		if !strings.HasPrefix(r.URL.Path, "/sockets/") {
			return false
		}
		rw.WriteHeader(status)
		return true
	})
	for _, c := range []struct {
		path   string
		status int
		want   websocket.StatusCode
	}{
		{"/sockets/events/" + id + "?resend_mode=zz", 403, 4004}, {"/sockets/events/" + id + "?after_timestamp=never", 403, 4004},
		{"/sockets/events/" + id + "?resend_all=maybe", 403, 4004}, {"/sockets/session/" + id + "?after_seq=x", 403, 4004},
		{"/sockets/events/" + id + "?resend_mode=all", 503, 1013}, {"/sockets/events/" + id, 403, 1013},
	} {
		status = c.status
		socket, _, err := websocket.Dial(t.Context(), w.url+c.path, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer ann"}}})
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = socket.Read(t.Context())
		var closed websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != c.want {
			t.Errorf("%s, refused with %d: %v, want %d", c.path, c.status, err, c.want)
		}
	}
}
