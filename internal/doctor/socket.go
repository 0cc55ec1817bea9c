package doctor

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/coder/websocket"
	"github.com/google/uuid"
)

// The close codes at which OpenHands' clients stop.
const (
	refused = 4001 // the credential is none
	unknown = 4004 // there is no such conversation
)

// socket opens a WebSocket with a made-up key. That it is refused by the server's own close code proves that upgrades and
// frames come through, in both directions.
func (e *examiner) socket(ctx context.Context, s server) {
	const check = "WebSocket"
	ctx, cancel := context.WithTimeout(ctx, e.Patience)
	defer cancel()
	conn, answer, err := dial(ctx, s) //nolint:bodyclose // the library replaces it by what it read of it
	if err != nil {
		e.problem(check, "its upgrade does not come through"+status(answer), upgrades(answer))
		return
	}
	defer func() { _ = conn.CloseNow() }()
	code, err := goodbye(ctx, conn, "doctor-"+rand.Text())
	switch {
	case code == refused:
		e.ok(check, "upgrades and frames come through in both directions")
	case code == -1:
		e.problem(check, "its upgrade comes through, but no frame does: "+err.Error(), proxied)
	default:
		e.problem(check, fmt.Sprintf("it was closed with %d instead of %d: something in front answers, or the server could not check the key", code, refused), proxied+"; and at the server's log")
	}
}

// upstreamSocket opens one to the agent-server for a conversation that there is not, with our key in the first frame, as events
// are followed. That the agent-server closes it for that reason proves the way behind us.
func (e *examiner) upstreamSocket(ctx context.Context, u server) {
	const check = "upstream's WebSocket"
	between := "let whatever stands between openhands-saas and the agent-server pass upgrades and frames, or connect them directly"
	ctx, cancel := context.WithTimeout(ctx, e.Patience)
	defer cancel()
	conn, answer, err := dial(ctx, u) //nolint:bodyclose // the library replaces it by what it read of it
	if err != nil {
		e.problem(check, "its upgrade does not come through"+status(answer), between)
		return
	}
	defer func() { _ = conn.CloseNow() }()
	switch code, err := goodbye(ctx, conn, e.Upstream.Key); code {
	case unknown:
		e.ok(check, "upgrades and frames come through in both directions")
	case -1:
		e.problem(check, "its upgrade comes through, but no frame does: "+err.Error(), between)
	case refused:
		e.problem(check, "the agent-server refuses UPSTREAM_API_KEY there, though it takes it elsewhere", between)
	default:
		e.note(check, fmt.Sprintf("it was closed with %d instead of %d", code, unknown), "look at the agent-server's log; when conversations are followed live all the same, nothing")
	}
}

// dial opens a WebSocket for a conversation that there is not.
func dial(ctx context.Context, s server) (*websocket.Conn, *http.Response, error) {
	client := *s.client
	client.Timeout = 0 // the context bounds it; this would cut the connection
	address := "ws" + strings.TrimPrefix(s.base, "http") + "/sockets/events/" + uuid.NewString()
	return websocket.Dial(ctx, address, &websocket.DialOptions{HTTPClient: &client})
}

// goodbye presents a key and returns the code with which the server closes; -1 for none.
func goodbye(ctx context.Context, conn *websocket.Conn, key string) (websocket.StatusCode, error) {
	frame, err := json.Marshal(map[string]string{"type": "auth", "session_api_key": key})
	if err != nil {
		return -1, err
	}
	if err := conn.Write(ctx, websocket.MessageText, frame); err != nil {
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
