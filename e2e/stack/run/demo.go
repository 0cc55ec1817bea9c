package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/openhands-saas/openhands-saas/e2e/stack/llm"
)

// model starts the scripted model for DEMO=1 and makes it the operator's. It
// keeps its key and, where possible, its address between starts: conversations
// remember both.
func (w *world) model() (summary string, err error) {
	if demo := w.env.get("DEMO", "0"); demo == "0" || demo == "false" {
		return fmt.Sprintf("  model     %s\n", w.env.get("OPERATOR_LLM_MODEL", "none of ours: set OPERATOR_LLM_MODEL and _API_KEY, or try DEMO=1")), nil
	}
	kept := filepath.Join(w.data, "demo-model")
	if err := os.MkdirAll(kept, 0o700); err != nil {
		return "", fmt.Errorf("make a folder for the scripted model: %w", err)
	}
	keyFile, addressFile := filepath.Join(kept, "key"), filepath.Join(kept, "address")
	s, err := startModel(read(keyFile), read(addressFile))
	if err != nil {
		return "", err
	}
	w.stops = append(w.stops, s.Close)
	w.env["OPERATOR_LLM_MODEL"] = s.Model()
	w.env["OPERATOR_LLM_BASE_URL"] = s.URL()
	w.env["OPERATOR_LLM_API_KEY_FILE"] = keyFile
	delete(w.env, "OPERATOR_LLM_API_KEY")
	err = errors.Join(
		os.WriteFile(keyFile, []byte(s.Key()), 0o600),
		os.WriteFile(addressFile, []byte(s.Address()), 0o600),
	)
	return "  model     scripted, no key needed; a message like \"run: ls -la\" tells the agent what to run\n", err
}

func startModel(key, address string) (*llm.Server, error) {
	s, err := llm.StartWith(llm.Options{Key: key, Address: address})
	if err != nil && address != "" {
		return llm.StartWith(llm.Options{Key: key})
	}
	return s, err
}

func read(file string) string {
	text, _ := os.ReadFile(file)
	return strings.TrimSpace(string(text))
}
