package llm_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openhands-saas/openhands-saas/e2e/stack/llm"
)

func TestOnlyTheOwnKeyOpensTheModel(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, key := range []string{"", "wrong", s.Key() + "x"} {
		status, body := post(t, s, key, "/chat/completions", request("hello"))
		if status != http.StatusUnauthorized {
			t.Errorf("key %q: status %d, body %s", key, status, body)
		}
	}
	if got := s.Refused(); got != 3 {
		t.Errorf("refused %d calls, want 3", got)
	}
	if got := len(s.Requests()); got != 0 {
		t.Errorf("%d refused calls were recorded", got)
	}
}

func TestTheModelIsListedWithAndWithoutTheVersionPrefix(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, path := range []string{"/models", "/v1/models"} {
		req, _ := http.NewRequest(http.MethodGet, "http://"+s.Address()+path, nil)
		req.Header.Set("Authorization", "Bearer "+s.Key())
		status, body := do(t, req)
		if status != http.StatusOK || !strings.Contains(body, `"id":"scripted"`) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

func TestTheMessageIsTheScript(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range []struct {
		name    string
		message string
		results []string
		want    said
	}{
		{"an ordinary message greets from the terminal", "please help", nil, said{Tool: "terminal", Arguments: `{"command":"echo hello from $(pwd)"}`}},
		{"and finishes with what the terminal printed", "please help", []string{"hello from /x\n[The command completed with exit code 0.]\n…"}, said{Tool: "finish", Arguments: `{"message":"The terminal answered: hello from /x"}`}},
		{"run gives the exact command", "run: ls -la  'a b' | wc", nil, said{Tool: "terminal", Arguments: `{"command":"ls -la  'a b' | wc"}`}},
		{"several runs go one after the other", "first\nrun: one\nrun: two", []string{"1"}, said{Tool: "terminal", Arguments: `{"command":"two"}`}},
		{"after the last run it finishes", "run: one\nrun: two", []string{"1", "2"}, said{Tool: "finish", Arguments: `{"message":"The terminal answered: 2"}`}},
		{"say answers with text", "say: good morning", nil, said{Text: "good morning"}},
		{"say after run comes last", "run: one\nsay: that was it", []string{"1"}, said{Text: "that was it"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, ask(t, s, request(c.message, c.results...))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOnlyTheResultsAfterTheLastMessageCount(t *testing.T) {
	t.Parallel()
	s := start(t)
	body := request("run: old", "1", "2")
	body["messages"] = append(body["messages"].([]any), map[string]any{"role": "user", "content": "run: new"})
	if got := ask(t, s, body); got.Arguments != `{"command":"new"}` {
		t.Errorf("got %+v", got)
	}
}

func TestWhatAToolRequiresIsFilledIn(t *testing.T) {
	t.Parallel()
	s := start(t)
	body := request("run: ls")
	body["tools"] = []any{toolOf("terminal", map[string]any{
		"command":       map[string]any{"type": "string"},
		"security_risk": map[string]any{"type": "string", "enum": []string{"UNKNOWN", "LOW", "HIGH"}},
		"summary":       map[string]any{"type": "string"},
	}, "command", "security_risk")}
	if got := ask(t, s, body); got.Arguments != `{"command":"ls","security_risk":"LOW"}` {
		t.Errorf("got %+v", got)
	}
}

func TestARequestForATitleGetsAShortTitle(t *testing.T) {
	t.Parallel()
	s := start(t)
	body := request("Generate a title for: run: rm -rf")
	delete(body, "tools")
	if got := ask(t, s, body); got.Text != "Scripted conversation" || got.Tool != "" {
		t.Errorf("got %+v", got)
	}
}

func TestASlowAnswerIsHeldUntilItIsReleased(t *testing.T) {
	t.Parallel()
	s := start(t)
	answered := make(chan said, 1)
	go func() { answered <- ask(t, s, request("slow: gate\nrun: ls")) }()
	if err := s.AwaitHeld(t.Context(), "gate"); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-answered:
		t.Fatalf("answered before the release: %+v", got)
	default:
	}
	s.Release("gate")
	if got := <-answered; got.Arguments != `{"command":"ls"}` {
		t.Errorf("got %+v", got)
	}
	if got := ask(t, s, request("slow: gate\nsay: open")); got.Text != "open" {
		t.Errorf("a released name holds again: %+v", got)
	}
}

func TestANumberHoldsForThatManySecondsAtMost(t *testing.T) {
	t.Parallel()
	s := start(t)
	began := time.Now()
	if got := ask(t, s, request("slow: 0.2\nsay: late")); got.Text != "late" || time.Since(began) < 200*time.Millisecond {
		t.Errorf("got %+v after %s", got, time.Since(began))
	}
}

func TestAStreamedAnswerSaysTheSame(t *testing.T) {
	t.Parallel()
	s := start(t)
	body := request("say: one two three")
	body["stream"] = true
	body["stream_options"] = map[string]any{"include_usage": true}
	status, text := post(t, s, s.Key(), "/chat/completions", body)
	if status != http.StatusOK || !strings.HasSuffix(text, "data: [DONE]\n\n") || !strings.Contains(text, `"total_tokens":110`) {
		t.Fatalf("%d %s", status, text)
	}
	var said strings.Builder
	for line := range strings.Lines(text) {
		var chunk struct {
			Choices []struct{ Delta struct{ Content string } }
		}
		if json.Unmarshal([]byte(strings.TrimPrefix(line, "data: ")), &chunk) == nil && len(chunk.Choices) > 0 {
			said.WriteString(chunk.Choices[0].Delta.Content)
		}
	}
	if said.String() != "one two three" {
		t.Errorf("streamed %q", said.String())
	}
}

func TestRequestsAreRecordedWithoutTheKey(t *testing.T) {
	t.Parallel()
	s := start(t)
	ask(t, s, request("run: ls"))
	got := s.Requests()
	if len(got) != 1 || got[0].User != "run: ls" || !cmp.Equal(got[0].Tools, []string{"terminal", "finish"}) {
		t.Fatalf("recorded %+v", got)
	}
	whole, _ := json.Marshal(got)
	if bytes.Contains(whole, []byte(s.Key())) {
		t.Error("the key is in the record")
	}
}

func TestABrokenRequestIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	status, body := post(t, s, s.Key(), "/chat/completions", map[string]any{"messages": []any{}})
	if status != http.StatusBadRequest {
		t.Errorf("%d %s", status, body)
	}
}

// said is what the model answered.
type said struct{ Text, Tool, Arguments string }

func start(t *testing.T) *llm.Server {
	t.Helper()
	s, err := llm.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func request(message string, results ...string) map[string]any {
	messages := []any{
		map[string]any{"role": "system", "content": "You are an agent."},
		map[string]any{"role": "user", "content": []any{map[string]any{"type": "text", "text": message}, map[string]any{"type": "text", "text": "run: not this"}}},
	}
	for _, result := range results {
		messages = append(messages,
			map[string]any{"role": "assistant", "content": nil},
			map[string]any{"role": "tool", "content": []any{map[string]any{"type": "text", "text": result}}})
	}
	text := map[string]any{"type": "string"}
	return map[string]any{"model": "scripted", "messages": messages, "tools": []any{
		toolOf("terminal", map[string]any{"command": text}, "command"),
		toolOf("finish", map[string]any{"message": text}, "message"),
	}}
}

func toolOf(name string, properties map[string]any, required ...string) map[string]any {
	return map[string]any{"type": "function", "function": map[string]any{
		"name": name, "parameters": map[string]any{"type": "object", "properties": properties, "required": required},
	}}
}

func ask(t *testing.T, s *llm.Server, body map[string]any) said {
	t.Helper()
	status, text := post(t, s, s.Key(), "/chat/completions", body)
	var completion struct {
		Choices []struct {
			Message struct {
				Content   string
				ToolCalls []struct {
					Function struct{ Name, Arguments string }
				} `json:"tool_calls"`
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &completion); err != nil || status != http.StatusOK || len(completion.Choices) != 1 {
		t.Errorf("%d %s: %v", status, text, err)
		return said{}
	}
	m := completion.Choices[0].Message
	if len(m.ToolCalls) == 0 {
		return said{Text: m.Content}
	}
	return said{Text: m.Content, Tool: m.ToolCalls[0].Function.Name, Arguments: m.ToolCalls[0].Function.Arguments}
}

func post(t *testing.T, s *llm.Server, key, path string, body map[string]any) (int, string) {
	t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequest(http.MethodPost, s.URL()+path, bytes.NewReader(encoded))
	req.Header.Set("Authorization", "Bearer "+key)
	return do(t, req)
}

func do(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}
