package smoke

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxAnswer is more than any answer on the walk.
const maxAnswer = 8 << 20

// callTimeout bounds one call; starting a conversation is the longest.
const callTimeout = 60 * time.Second

// unexpected is an answer other than the one a step wants.
type unexpected struct {
	method, path string
	status       int
	body         string
	wanted       string
}

func (e *unexpected) Error() string {
	return fmt.Sprintf("%s %s answered %d %s (expected %s)", e.method, e.path, e.status, excerpt(e.body), e.wanted)
}

func excerpt(body string) string {
	const most = 300
	text := strings.Join(strings.Fields(strings.ToValidUTF8(body, "?")), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// call is one request and what it must answer.
type call struct {
	method, path string
	token        string // sent as Bearer; "" for none
	contentType  string
	body         string
	want         int
	into         any // decoded from JSON; nil to leave the body alone
}

// do makes the call and returns the body.
func (w *walk) do(ctx context.Context, c call) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, c.method, w.base+c.path, strings.NewReader(c.body))
	if err != nil {
		return "", err
	}
	request.Header.Set("User-Agent", "openhands-saas-smoke")
	if c.contentType != "" {
		request.Header.Set("Content-Type", c.contentType)
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := w.client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	return c.read(response)
}

func (c call) read(response *http.Response) (string, error) {
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return "", fmt.Errorf("read the answer of %s %s: %w", c.method, c.path, err)
	}
	if response.StatusCode != c.want {
		return "", &unexpected{c.method, c.path, response.StatusCode, string(raw), fmt.Sprint(c.want)}
	}
	if c.into != nil && json.Unmarshal(raw, c.into) != nil {
		return "", &unexpected{c.method, c.path, response.StatusCode, string(raw), "JSON of the documented form"}
	}
	return string(raw), nil
}

// asJSON is the body of a call.
func asJSON(v any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // maps of strings cannot fail
	return b.String()
}

// hint replaces a step's general advice where the answer itself says more.
func hint(err error, general string) string {
	u, ok := errors.AsType[*unexpected](err)
	if !ok {
		return general
	}
	switch {
	case strings.Contains(u.body, "REGISTRATION_CLOSED"):
		return "REGISTRATION: registering needs `open`. Walk as two accounts that exist: --email, --password-file, --other-email, --other-password-file"
	case u.status == http.StatusUnprocessableEntity && strings.Contains(u.body, "OPERATOR_LLM_MODEL"):
		return "OPERATOR_LLM_MODEL: no model is configured for everybody. Set OPERATOR_LLM_*, or use --no-agent"
	case u.status == http.StatusBadGateway || u.status == http.StatusGatewayTimeout:
		return "the upstream: it is down, slow, or UPSTREAM_URL or UPSTREAM_API_KEY is wrong; the server's log says which"
	case u.status == http.StatusServiceUnavailable:
		return "the database: the server cannot reach it; the server's log says why"
	case u.status >= 300 && u.status < 400:
		return "--url: the server redirects; use the origin it redirects to (PUBLIC_URL)"
	}
	return general
}
