// Package schema owns what the upstream says of its own data: the models of its OpenAPI and the schemas of its settings.
//
// It never sees settings that anybody made, only their shapes and defaults. Its key idea: a value that is kept for later is
// judged now as the upstream would judge it, by the upstream's own description, so that a newer version brings its new fields
// without a change here.
package schema

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// The documents that are read.
const (
	OpenAPI      = "/openapi.json"
	Agent        = "/api/settings/agent-schema"
	Conversation = "/api/settings/conversation-schema"
)

// life is how long a document is believed. After it an old one still serves while the upstream does not answer.
const life = 5 * time.Minute

// Fetch reads one document from the upstream; its error is an answer for a client.
type Fetch func(ctx context.Context, path string) ([]byte, error)

// Book remembers the documents: they change with the upstream's version only.
type Book struct {
	fetch Fetch
	log   *slog.Logger
	now   func() time.Time

	mu   sync.Mutex
	kept map[string]page
}

type page struct {
	raw     []byte
	content any // decoded once; nobody changes it
	until   time.Time
}

// New makes an empty book.
func New(fetch Fetch, log *slog.Logger) *Book {
	return &Book{fetch: fetch, log: log, now: time.Now, kept: map[string]page{}}
}

// Raw is a document as the upstream wrote it, from memory where it is young enough.
func (b *Book) Raw(ctx context.Context, path string) ([]byte, error) {
	p, err := b.page(ctx, path)
	return p.raw, err
}

func (b *Book) page(ctx context.Context, path string) (page, error) {
	old, known := b.get(path)
	if known && b.now().Before(old.until) {
		return old, nil
	}
	raw, err := b.fetch(ctx, path)
	if err == nil {
		return b.put(path, raw)
	}
	if known && !errors.Is(err, context.Canceled) {
		b.log.WarnContext(ctx, "the upstream's schema could not be renewed; the last one serves", "path", path, "error", err)
		return old, nil
	}
	return page{}, err
}

func (b *Book) get(path string) (page, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, known := b.kept[path]
	return p, known
}

func (b *Book) put(path string, raw []byte) (page, error) {
	p := page{raw: raw, until: b.now().Add(life)}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // 8.0 stays 8.0
	if err := decoder.Decode(&p.content); err != nil {
		return page{}, fmt.Errorf("decode the upstream's %s: %w", path, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept[path] = p
	return p, nil
}

// node is one schema of the OpenAPI document.
type node = map[string]any

// models are the OpenAPI document's schemas by name.
func (b *Book) models(ctx context.Context) (node, error) {
	p, err := b.page(ctx, OpenAPI)
	if err != nil {
		return nil, err
	}
	found := sub(sub(p.content, "components"), "schemas")
	if found == nil {
		return nil, errors.New("the upstream's OpenAPI document describes no models")
	}
	return found, nil
}

// model finds one by its name. The upstream names the form that it reads "X-Input" where it differs from what it writes.
func model(models node, name string) (node, error) {
	for _, candidate := range []string{name + "-Input", name} {
		if found, known := models[candidate].(node); known {
			return found, nil
		}
	}
	return nil, fmt.Errorf("the upstream's OpenAPI document has no model %s", name)
}

func sub(v any, name string) node {
	in, _ := v.(node)
	found, _ := in[name].(node)
	return found
}

// followed resolves a reference.
func followed(models node, n node) node {
	for range 10 { // longer chains would be loops
		ref, isRef := n["$ref"].(string)
		if !isRef {
			return n
		}
		n = sub(models, ref[strings.LastIndexByte(ref, '/')+1:])
	}
	return node{}
}

// alternatives lists what a value may be, null aside, and says whether it may be null.
func alternatives(n node) (some []node, null bool) {
	all, isUnion := n["anyOf"].([]any)
	if !isUnion {
		return []node{n}, n["type"] == "null"
	}
	for _, a := range all {
		switch one, _ := a.(node); one["type"] {
		case "null":
			null = true
		default:
			some = append(some, one)
		}
	}
	return some, null
}
