package doctor

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"

	"github.com/coder/websocket"
	"github.com/google/uuid"
)

// refused is the close code for a credential that is none (OpenHands' clients stop at it).
const refused = 4001

// socket opens a WebSocket with a made-up key. That it is refused by the server's own close code proves that upgrades and
// frames come through, in both directions.
func (e *examiner) socket(ctx context.Context, s server) {
	const check = "WebSocket"
	ctx, cancel := context.WithTimeout(ctx, e.Patience)
	defer cancel()
	client := *s.client
	client.Timeout = 0                                                                                                                                                 // the context bounds it; this would cut the connection
	conn, answer, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.base, "http")+"/sockets/events/"+uuid.NewString(), &websocket.DialOptions{HTTPClient: &client}) //nolint:bodyclose // closed by Dial
	if err != nil {
		e.problem(check, "its upgrade does not come through"+status(answer), upgrades(answer))
		return
	}
	defer func() { _ = conn.CloseNow() }()
	code, err := goodbye(ctx, conn)
	switch {
	case code == refused:
		e.ok(check, "upgrades and frames come through in both directions")
	case code == -1:
		e.problem(check, "its upgrade comes through, but no frame does: "+err.Error(), proxied)
	default:
		e.problem(check, fmt.Sprintf("it was closed with %d instead of %d: something in front answers, or the server could not check the key", code, refused), proxied+"; and at the server's log")
	}
}

// goodbye presents a key that nobody has and returns the code with which the server closes; -1 for none.
func goodbye(ctx context.Context, conn *websocket.Conn) (websocket.StatusCode, error) {
	frame := `{"type":"auth","session_api_key":"doctor-` + rand.Text() + `"}`
	if err := conn.Write(ctx, websocket.MessageText, []byte(frame)); err != nil {
		return websocket.CloseStatus(err), err
	}
	for {
		if _, _, err := conn.Read(ctx); err != nil {
			return websocket.CloseStatus(err), err
		}
	}
}

func status(answer *http.Response) string {
	if answer == nil {
		return ""
	}
	return fmt.Sprintf(" (it is answered by %d)", answer.StatusCode)
}

// upgrades says what to do about a handshake that fails. 426 is our own answer to one that lost its header.
func upgrades(answer *http.Response) string {
	if answer != nil && answer.StatusCode == http.StatusTooManyRequests {
		return "wait a moment and try again: too many WebSockets wait for a credential"
	}
	return "let the proxy in front pass upgrades below /sockets/ (nginx: proxy_http_version 1.1, and the headers Upgrade and Connection)"
}
