package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// provider is a second door to the scripted model, as a provider with many customers has one: any key opens it, and it notes which
// key came with which call. Below /mcp it is a server of tools, too.
type provider struct {
	url string // what an OpenAI client takes as its base URL

	mu    sync.Mutex
	calls []knock
}

// knock is one call at a provider.
type knock struct {
	path string
	key  string // that came as a bearer
	talk string // the conversation that asked; "" for none
	all  string // the whole request, as it came
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	target, err := url.Parse(world.llm.URL())
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: target.Scheme, Host: target.Host})
		r.Out.Header.Set("Authorization", "Bearer "+world.llm.Key())
	}, FlushInterval: -1}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all, _ := httputil.DumpRequest(r, true)
		p.note(knock{
			path: r.URL.Path, key: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "),
			talk: r.Header.Get("X-Litellm-Session-Id"), all: string(all),
		})
		if r.URL.Path == "/mcp" {
			answerTools(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	p.url = server.URL + "/v1"
	return p
}

// answerTools is the least that a server of tools must say: its name, and that it has none.
func answerTools(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		ID     any    `json:"id"`
		Method string `json:"method"`
		Params struct {
			Version string `json:"protocolVersion"`
		} `json:"params"`
	}
	if r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	_ = json.NewDecoder(r.Body).Decode(&asked)
	var result any = map[string]any{"tools": []any{}}
	switch {
	case asked.ID == nil:
		w.WriteHeader(http.StatusAccepted)
		return
	case asked.Method == "initialize":
		result = map[string]any{"protocolVersion": asked.Params.Version, "capabilities": map[string]any{"tools": map[string]any{}},
			"serverInfo": map[string]any{"name": "tools", "version": "1"}}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": asked.ID, "result": result})
}

// tools is the address of the provider's server of tools.
func (p *provider) tools() string { return strings.TrimSuffix(p.url, "/v1") + "/mcp" }

func (p *provider) note(k knock) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, k)
}

func (p *provider) knocks() []knock {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// keysOf are the keys that came with the calls of a conversation, each once.
func (p *provider) keysOf(talk string) []string {
	keys := []string{}
	for _, k := range p.knocks() {
		if k.talk == talk {
			keys = append(keys, k.key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// ranWith fails unless a conversation has called the provider, with exactly this key.
func (p *provider) ranWith(t *testing.T, talk, key string) {
	t.Helper()
	if got := p.keysOf(talk); !slices.Equal(got, []string{key}) {
		t.Errorf("the conversation %s ran with the keys %q, want %q", talk, got, key)
	}
}

// sawWith waits for a call of a conversation with this key.
func (p *provider) sawWith(t *testing.T, talk, key string) {
	t.Helper()
	within(t, 30*time.Second, "the provider is called with the key", func() error {
		if got := p.keysOf(talk); !slices.Contains(got, key) {
			return fmt.Errorf("the conversation's keys are %q", got)
		}
		return nil
	})
}

// sawTools waits until the server of tools was asked for them with this key.
func (p *provider) sawTools(t *testing.T, key string) {
	t.Helper()
	within(t, 30*time.Second, "the tools are asked for with the key", func() error {
		if !slices.ContainsFunc(p.knocks(), func(k knock) bool {
			return k.path == "/mcp" && k.key == key && strings.Contains(k.all, "tools/list")
		}) {
			return errors.New("they were not")
		}
		return nil
	})
}
