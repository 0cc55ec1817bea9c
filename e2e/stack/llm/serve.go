package llm

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// largest is how long a request may be.
const largest = 32 << 20

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, prefix := range []string{"", "/v1"} {
		mux.HandleFunc("GET "+prefix+"/models", s.models)
		mux.HandleFunc("POST "+prefix+"/chat/completions", s.complete)
	}
	return s.keyed(mux)
}

func (s *Server) keyed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(given), []byte(s.key)) != 1 {
			s.mu.Lock()
			s.refused++
			s.mu.Unlock()
			fail(w, http.StatusUnauthorized, "invalid_api_key", "This model answers to its own key only.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) models(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{
		"object": "list",
		"data":   []any{map[string]any{"id": Model, "object": "model", "created": 0, "owned_by": "openhands-saas"}},
	})
}

func (s *Server) complete(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largest))
	if err != nil {
		fail(w, http.StatusBadRequest, "invalid_request", "The body cannot be read.")
		return
	}
	var c chat
	if err := json.Unmarshal(body, &c); err != nil || len(c.Messages) == 0 {
		fail(w, http.StatusBadRequest, "invalid_request", "The body is not a chat completion request with messages.")
		return
	}
	s.record(r, c, body)
	a := s.answer(r.Context(), c)
	if r.Context().Err() != nil {
		return
	}
	if c.Stream {
		stream(w, c, a)
		return
	}
	reply(w, http.StatusOK, whole(c, a))
}

func (s *Server) record(r *http.Request, c chat, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, Request{
		At:           time.Now(),
		Path:         r.URL.Path,
		Conversation: r.Header.Get("x-litellm-session-id"),
		User:         c.conversation().user,
		Tools:        c.names(),
		Body:         body,
	})
}

// whole is a complete chat completion.
func whole(c chat, a answer) map[string]any {
	return map[string]any{
		"id": a.id, "object": "chat.completion", "created": time.Now().Unix(), "model": c.Model,
		"choices": []any{map[string]any{"index": 0, "message": a.message(), "finish_reason": a.reason()}},
		"usage":   usage(),
	}
}

// stream sends the same answer as server-sent events, its text word by word.
func stream(w http.ResponseWriter, c chat, a answer) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	send := func(choices []any, extra map[string]any) {
		chunk := map[string]any{"id": a.id, "object": "chat.completion.chunk", "created": time.Now().Unix(), "model": c.Model, "choices": choices}
		for name, value := range extra {
			chunk[name] = value
		}
		encoded, _ := json.Marshal(chunk) // maps of strings and numbers always encode
		fmt.Fprintf(w, "data: %s\n\n", encoded)
		_ = http.NewResponseController(w).Flush()
	}
	for _, delta := range a.deltas() {
		send([]any{map[string]any{"index": 0, "delta": delta, "finish_reason": nil}}, nil)
	}
	send([]any{map[string]any{"index": 0, "delta": map[string]any{}, "finish_reason": a.reason()}}, nil)
	if c.StreamOptions.IncludeUsage {
		send([]any{}, map[string]any{"usage": usage()})
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}

func (a answer) deltas() []map[string]any {
	if a.tool != "" {
		return []map[string]any{a.message()}
	}
	var all []map[string]any
	for _, word := range strings.SplitAfter(a.text, " ") {
		all = append(all, map[string]any{"role": "assistant", "content": word})
	}
	return all
}

func (a answer) message() map[string]any {
	if a.tool == "" {
		return map[string]any{"role": "assistant", "content": a.text}
	}
	call := map[string]any{
		"index": 0, "id": "call-" + a.id, "type": "function",
		"function": map[string]any{"name": a.tool, "arguments": a.arguments},
	}
	return map[string]any{"role": "assistant", "content": nil, "tool_calls": []any{call}}
}

func (a answer) reason() string {
	if a.tool == "" {
		return "stop"
	}
	return "tool_calls"
}

func usage() map[string]any {
	return map[string]any{"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func fail(w http.ResponseWriter, status int, code, text string) {
	reply(w, status, map[string]any{"error": map[string]any{"message": text, "type": code, "code": code}})
}
