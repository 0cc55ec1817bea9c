package main

import (
	"net"
	"os"
	"testing"
)

func TestTheScriptedModelKeepsItsKeyAndAddressBetweenStarts(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	first := demo(t, data)
	second := demo(t, data)
	for _, name := range []string{"OPERATOR_LLM_MODEL", "OPERATOR_LLM_BASE_URL", "OPERATOR_LLM_API_KEY_FILE"} {
		if first[name] == "" || first[name] != second[name] {
			t.Errorf("%s: %q, then %q", name, first[name], second[name])
		}
	}
	if _, set := first["OPERATOR_LLM_API_KEY"]; set {
		t.Error("the user's own model key is passed beside the file of the scripted one")
	}
	key, err := os.ReadFile(first["OPERATOR_LLM_API_KEY_FILE"])
	if err != nil || len(key) < 20 {
		t.Errorf("the key's file: %q, %v", key, err)
	}
}

func TestTheScriptedModelMovesWhenItsAddressIsTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	s, err := startModel("key", taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Address() == taken.Addr().String() || s.Key() != "key" {
		t.Errorf("address %s, key %q", s.Address(), s.Key())
	}
}

func TestWhatTheUserSetIsNotReplaced(t *testing.T) {
	t.Parallel()
	e := environment{"REGISTRATION": "invite", "EMPTY": ""}
	e.suggest("REGISTRATION", "open")
	e.suggest("EMPTY", "filled")
	e.suggest("NOTHING", "")
	if _, set := e["NOTHING"]; e["REGISTRATION"] != "invite" || e["EMPTY"] != "filled" || set {
		t.Errorf("got %v", e)
	}
}

// demo starts the model as run does and stops it again.
func demo(t *testing.T, data string) environment {
	t.Helper()
	w := &world{data: data, env: environment{"DEMO": "1", "OPERATOR_LLM_API_KEY": "the user's"}}
	if _, err := w.model(); err != nil {
		t.Fatal(err)
	}
	w.stop()
	return w.env
}
