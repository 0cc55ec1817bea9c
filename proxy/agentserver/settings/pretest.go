package settings

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/egress"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// pretestTimeout is how long a model may take for one word; the UI waits 30 seconds.
const pretestTimeout = 20 * time.Second

// ValidateProfile asks a model for one word before it is saved. We ask it ourselves: the upstream would use its own identity, and
// would call any address.
func (s *Surface) ValidateProfile(x *proxy.Exchange) error {
	q, err := s.begin(x, opening{name: named, body: "ValidateProfileRequest", changes: true})
	if err != nil {
		return err
	}
	llm := object(q.body, "llm")
	if err := s.savable(q.context(), llm); err != nil {
		return err
	}
	given := plainKey(llm)
	operators, err := s.fill(q.context(), q.who, []any{"body", "llm"}, llm)
	if err != nil {
		return err
	}
	return q.JSON(http.StatusOK, s.pretest(q.context(), llm, operators, given))
}

// verdict is the upstream's answer to a test.
func verdict(kind, message string) map[string]any {
	if kind == "" {
		return map[string]any{"valid": true, "error": nil}
	}
	return map[string]any{"valid": false, "error": map[string]any{"type": kind, "message": message}}
}

// pretest calls a model. One that we do not know how to call is let pass: its first conversation will tell. So is the operator's:
// its address may be one that nobody here may call, and its health is not the caller's to fix. given says that the caller has just
// given the key itself.
func (s *Surface) pretest(ctx context.Context, llm map[string]any, operators, given bool) map[string]any {
	request, known := question(ctx, llm)
	if operators || !known {
		return verdict("", "")
	}
	if err := s.Egress.Check(ctx, request.URL.String()); err != nil {
		text, _ := problem.Of(err).Detail.(string)
		return verdict("LLMBadRequestError", text)
	}
	res, err := s.Egress.Client(pretestTimeout).Do(request)
	if err != nil {
		return unanswered(err)
	}
	defer func() { _ = res.Body.Close() }()
	return judged(res.StatusCode, told(res, trimmed(llm, "api_key"), given))
}

// unanswered is about a model that could not be reached. Slowness is no fault of the settings.
func unanswered(err error) map[string]any {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, egress.ErrInner):
		return verdict("LLMBadRequestError", "The address may not be called from here.")
	case errors.As(err, &timeout) && timeout.Timeout():
		return verdict("", "")
	}
	return verdict("LLMServiceUnavailableError", "The provider could not be reached at this address.")
}

// judged reads the provider's answer as the upstream does: limits are no fault of the settings.
func judged(status int, said string) map[string]any {
	switch {
	case status < 300, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return verdict("", "")
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return verdict("LLMAuthenticationError", said)
	case status >= 500:
		return verdict("LLMServiceUnavailableError", said)
	}
	return verdict("LLMBadRequestError", said)
}

// told is what a provider says is wrong. Nothing else of an answer is shown, and nothing at all where the key is not one that the
// caller has just given: an address within the operator's networks may say what is not for the caller, and errors quote keys.
func told(res *http.Response, key string, given bool) string {
	var body struct {
		Error struct{ Message string }
	}
	raw, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if !given || json.Unmarshal(raw, &body) != nil || body.Error.Message == "" {
		return fmt.Sprintf("The provider answered with status %d.", res.StatusCode)
	}
	text := strings.ReplaceAll(strings.ToValidUTF8(body.Error.Message, ""), key, mask)
	if runes := []rune(text); len(runes) > 500 {
		text = string(runes[:500]) + "…"
	}
	return text
}

// question is the request that asks a model for one word, as its provider wants it.
func question(ctx context.Context, llm map[string]any) (*http.Request, bool) {
	provider, model := providerOf(trimmed(llm, "model")), trimmed(llm, "model")
	if provider != "" {
		_, model, _ = strings.Cut(model, "/")
	}
	base := trimmed(llm, "base_url")
	if base == "" {
		base = addressOfProvider(provider)
	}
	if base == "" || !speaks(provider, model) {
		return nil, false
	}
	path, header := "/chat/completions", http.Header{"Authorization": {"Bearer " + trimmed(llm, "api_key")}}
	if provider == "anthropic" {
		path, header = "/v1/messages", http.Header{"X-Api-Key": {trimmed(llm, "api_key")}, "Anthropic-Version": {"2023-06-01"}}
		base = strings.TrimSuffix(base, "/v1")
	}
	at, err := url.JoinPath(base, path)
	if err != nil {
		return nil, false
	}
	body, _ := json.Marshal(map[string]any{"model": model, "max_tokens": 1, "messages": []any{map[string]any{"role": "user", "content": "ping"}}})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, at, bytes.NewReader(body))
	if err != nil {
		return nil, false
	}
	header.Set("Content-Type", "application/json")
	r.Header = header
	return r, true
}

// speaks says whether a provider is asked in one of the two ways that question knows. Of bare names only OpenAI's are sure.
func speaks(provider, model string) bool {
	switch provider {
	case "litellm_proxy", "hosted_vllm", "custom_openai", "openai_like", "lm_studio":
		return true
	case "":
		return openAIs.MatchString(model)
	}
	return addressOfProvider(provider) != ""
}

var openAIs = regexp.MustCompile(`^(gpt-|chatgpt-|o[1-9])`)

// addressOfProvider is where the providers that speak OpenAI's or Anthropic's protocol listen.
func addressOfProvider(name string) string {
	return map[string]string{
		"":             "https://api.openai.com/v1",
		"openai":       "https://api.openai.com/v1",
		"anthropic":    "https://api.anthropic.com",
		"deepseek":     "https://api.deepseek.com/v1",
		"groq":         "https://api.groq.com/openai/v1",
		"mistral":      "https://api.mistral.ai/v1",
		"openrouter":   "https://openrouter.ai/api/v1",
		"together_ai":  "https://api.together.xyz/v1",
		"fireworks_ai": "https://api.fireworks.ai/inference/v1",
		"xai":          "https://api.x.ai/v1",
		"perplexity":   "https://api.perplexity.ai",
	}[name]
}

// plainKey says whether a model comes with a key in clear.
func plainKey(llm map[string]any) bool {
	key := trimmed(llm, "api_key")
	return key != "" && key != mask && key != OperatorMarker && !isToken(key)
}
