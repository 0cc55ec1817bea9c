package smoke

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

const conversations = "/api/conversations"

// start makes a conversation with the model that the server provides. Without an agent a model is named that nobody calls, so
// that none has to be configured.
func (w *walk) start(ctx context.Context) error {
	settings := map[string]any{"agent_kind": "openhands"}
	body := map[string]any{"workspace": map[string]any{"kind": "LocalWorkspace", "working_dir": ""}, "agent_settings": settings}
	if w.noAgent {
		settings["llm"] = map[string]any{"model": "openai/smoke-test", "api_key": "smoke-test-no-key"}
	} else {
		body["initial_message"] = map[string]any{"role": "user", "content": []any{map[string]any{"type": "text", "text": "hello"}}}
	}
	var answer struct{ ID string }
	_, err := w.do(ctx, call{method: "POST", path: conversations, token: w.first.token, contentType: "application/json", body: asJSON(body),
		want: http.StatusCreated, into: &answer})
	if err == nil && answer.ID == "" {
		err = errors.New("the answer holds no id")
	}
	w.conversation = answer.ID
	return err
}

// agent waits until the agent is done.
func (w *walk) agent(ctx context.Context) error {
	deadline := time.Now().Add(w.agentTimeout)
	for {
		status, err := w.status(ctx)
		if err != nil {
			return err
		}
		switch status {
		case "finished":
			return nil
		case "error", "stuck", "paused", "waiting_for_confirmation", "deleting":
			return fmt.Errorf("the agent's state is %q%s", status, w.reason(ctx))
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the agent did not finish within %s; its state is %q", w.agentTimeout, status)
		}
		if err := pause(ctx, w.poll); err != nil {
			return err
		}
	}
}

func (w *walk) status(ctx context.Context) (string, error) {
	var answer struct {
		Status string `json:"execution_status"`
	}
	_, err := w.do(ctx, call{method: "GET", path: w.its(), token: w.first.token, want: http.StatusOK, into: &answer})
	return answer.Status, err
}

// reason is the newest error among the conversation's events, where there is one.
func (w *walk) reason(ctx context.Context) string {
	var page struct {
		Items []struct{ Kind, Code, Detail string }
	}
	_, err := w.do(ctx, call{method: "GET", path: w.its() + "/events/search?limit=20&sort_order=TIMESTAMP_DESC", token: w.first.token, want: http.StatusOK, into: &page})
	if err != nil {
		return ""
	}
	for _, event := range page.Items {
		if event.Detail != "" {
			return fmt.Sprintf(": %s %s", event.Code, excerpt(event.Detail))
		}
	}
	return ""
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// its is the path of the walk's conversation.
func (w *walk) its() string { return conversations + "/" + w.conversation }

// list returns the ids that p sees.
func (w *walk) list(ctx context.Context, p *person) ([]string, error) {
	var page struct{ Items []struct{ ID string } }
	_, err := w.do(ctx, call{method: "GET", path: conversations + "/search?limit=20", token: p.token, want: http.StatusOK, into: &page})
	ids := make([]string, len(page.Items))
	for i, item := range page.Items {
		ids[i] = item.ID
	}
	return ids, err
}

func (w *walk) listed(ctx context.Context) error {
	ids, err := w.list(ctx, w.first)
	if err == nil && (!slices.Contains(ids, w.conversation) || len(ids) != 1 && !w.existing) {
		err = fmt.Errorf("the list begins with %d conversations; a new account's holds exactly %s", len(ids), w.conversation)
	}
	return err
}

// isolated proves that a foreign conversation answers like one that never existed, and appears in no list.
func (w *walk) isolated(ctx context.Context) error {
	ids, err := w.list(ctx, w.second)
	if err != nil {
		return err
	}
	if slices.Contains(ids, w.conversation) || len(ids) != 0 && !w.existing {
		return fmt.Errorf("%s lists conversations of others, among %d", w.second.email, len(ids))
	}
	for _, tail := range []string{"", "/events/search", "/workspace/README.md"} {
		if err := w.hidden(ctx, tail); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) hidden(ctx context.Context, tail string) error {
	foreign, err := w.do(ctx, call{method: "GET", path: w.its() + tail, token: w.second.token, want: http.StatusNotFound})
	if err != nil {
		return err
	}
	unknown, err := w.do(ctx, call{method: "GET", path: conversations + "/" + randomID() + tail, token: w.second.token, want: http.StatusNotFound})
	if err == nil && foreign != unknown {
		err = fmt.Errorf("a foreign conversation answers %s and an unknown one %s: the difference tells that it exists", excerpt(foreign), excerpt(unknown))
	}
	return err
}

// randomID is a UUID of version 4.
func randomID() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails
	raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:])
}

func (w *walk) remove(ctx context.Context) error {
	if _, err := w.do(ctx, call{method: "DELETE", path: w.its(), token: w.first.token, want: http.StatusOK}); err != nil {
		return err
	}
	path := w.its()
	w.conversation = ""
	_, err := w.do(ctx, call{method: "GET", path: path, token: w.first.token, want: http.StatusNotFound})
	return err
}
