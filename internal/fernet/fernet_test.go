package fernet_test

import (
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/internal/fernet"
)

// The vectors were made by the upstream's own cipher (openhands.sdk.utils.cipher of 1.49.1), with a key that is used for tests only.
//
//go:embed testdata/vectors.json
var vectorsFile []byte

type vectors struct {
	Key     string `json:"key"`
	Vectors []struct {
		Plain string `json:"plain"`
		Token string `json:"token"`
	} `json:"vectors"`
}

func read(t *testing.T) vectors {
	t.Helper()
	var v vectors
	if err := json.Unmarshal(vectorsFile, &v); err != nil || len(v.Vectors) < 5 {
		t.Fatalf("vectors: %v, %d of them", err, len(v.Vectors))
	}
	return v
}

func TestWhatTheUpstreamSealedOpens(t *testing.T) {
	t.Parallel()
	v := read(t)
	for _, vector := range v.Vectors {
		got, err := fernet.Derive(v.Key).Open(vector.Token)
		if err != nil || string(got) != vector.Plain || !strings.HasPrefix(vector.Token, fernet.Prefix) {
			t.Errorf("%.20s: %q, %v", vector.Plain, got, err)
		}
	}
}

func TestWithAnotherKeyNothingOpens(t *testing.T) {
	t.Parallel()
	v := read(t)
	for _, vector := range v.Vectors {
		if got, err := fernet.Derive(v.Key + "!").Open(vector.Token); !errors.Is(err, fernet.ErrKey) || got != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestATokenThatWasCutOrChangedDoesNotOpen(t *testing.T) {
	t.Parallel()
	v := read(t)
	key, token := fernet.Derive(v.Key), v.Vectors[1].Token
	for end := range token {
		if got, err := key.Open(token[:end]); err == nil {
			t.Fatalf("the first %d bytes open: %q", end, got)
		}
	}
	raw, err := base64.URLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		raw[i] ^= 1
		if got, err := key.Open(base64.URLEncoding.EncodeToString(raw)); err == nil {
			t.Errorf("changed at byte %d it opens: %q", i, got)
		}
		raw[i] ^= 1
	}
	for _, bad := range []string{"", fernet.Prefix, token + "=", token + "A", strings.ReplaceAll(token, "=", ""), " " + token} {
		if _, err := key.Open(bad); !errors.Is(err, fernet.ErrCut) {
			t.Errorf("%.12q: %v", bad, err)
		}
	}
}
